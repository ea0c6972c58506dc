/**
 * Packages that are too large for the lock file: installed when a peer first needs them,
 * into a cache outside of the repository.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `SLUICE_BENCH_CACHE`, else a folder of the user's caches. */
const CACHE = process.env['SLUICE_BENCH_CACHE'] ?? join(homedir(), '.cache', 'sluice-bench');

/** ClickHouse within Node; 550 MB, for Linux on x64. */
export const CHDB = { chdb: '3.4.0', '@chdb/lib-linux-x64-gnu': '26.7.3-stable.1' } as const;

/** Without install scripts. `versions` are exact, by name; the first is asked for. */
export function installed(versions: Readonly<Record<string, string>>): NodeJS.Require {
  const [[name, version] = ['', '']] = Object.entries(versions);
  const folder = join(CACHE, `${name}-${version}`);
  if (!existsSync(join(folder, 'node_modules', name))) {
    mkdirSync(folder, { recursive: true });
    const packages = Object.entries(versions).map(([it, exact]) => `${it}@${exact}`);
    process.stderr.write(`installing ${packages.join(' ')} into ${folder}\n`);
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder];
    execFileSync('npm', ['install', ...flags, ...packages], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return createRequire(join(folder, 'peer.js'));
}
