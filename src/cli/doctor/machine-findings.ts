import { totalmem } from 'node:os';
import type { LoadedConfig } from '../../config/load.ts';
import { machineMemoryBytes, runMemoryBytes } from '../../config/machine-memory.ts';
import { configurationNotes } from '../../run/validation/notes/configuration-notes.ts';
import { sluiceVersion } from '../../run/version.ts';
import { formatBytes } from '../terminal/quantities.ts';
import type { Finding } from './finding.ts';

/** As `engines` of package.json has it. */
const LEAST_NODE = [20, 15] as const;

export function nodeFindings(version = process.versions.node): Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor);
  const message = `Sluice ${sluiceVersion()} on Node.js ${version}, ${process.platform} ${process.arch}`;
  if (!isOld) return [{ check: 'node', outcome: 'passed', message }];
  const hint = `install Node.js ${LEAST_NODE.join('.')} or newer`;
  return [{ check: 'node', outcome: 'failed', message, hint }];
}

/** What there is, what a run of the daemon may take of it, and what does not add up. */
export function memoryFindings(loaded: LoadedConfig): Finding[] {
  const { daemon } = loaded.config;
  const machine = machineMemoryBytes();
  const isLimited = machine < totalmem();
  const has = `${formatBytes(machine)} ${isLimited ? 'is the limit of the container' : 'in this machine'}`;
  const { concurrency } = daemon;
  const runs = `${concurrency} ${concurrency === 1 ? 'run' : 'runs'} of the daemon at a time`;
  const message = `${has}; ${runs}, each with at most ${formatBytes(runMemoryBytes(daemon))}`;
  const notes = configurationNotes(loaded).filter(({ code }) => code === 'MEMORY_EXCEEDED');
  if (notes.length === 0) return [{ check: 'memory', outcome: 'passed', message }];
  return notes.map(note => ({
    check: 'memory',
    outcome: 'noted',
    message: `${note.code}: ${note.message}`,
    hint: note.hint,
  }));
}

/** What an installation may leave out (`--omit=optional`). */
const OPTIONAL_PACKAGES = ['@electric-sql/pglite', '@electric-sql/pglite-socket', 'azurite'] as const;

export function packageFindings(isInstalled = canBeResolved): Finding[] {
  const check = 'packages';
  const missing = OPTIONAL_PACKAGES.filter(name => !isInstalled(name));
  if (missing.length === 0)
    return [{ check, outcome: 'passed', message: `${OPTIONAL_PACKAGES.join(', ')} are there for the demo` }];
  const message = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`;
  const hint = 'only `sluice demo` needs that; install without --omit=optional to have it';
  return [{ check, outcome: 'noted', message, hint }];
}

function canBeResolved(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}
