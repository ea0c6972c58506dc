import type { LoadedConfig } from '../../config/load.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import { unexpectedError } from '../../system-errors.ts';
import { type CommandContext, openConfig, openHistoryConfig } from '../command-context.ts';
import { clockFindings } from '../doctor/clock-findings.ts';
import { dataDirectoryFindings } from '../doctor/data-directory-findings.ts';
import type { Finding } from '../doctor/finding.ts';
import { memoryFindings, nodeFindings, packageFindings } from '../doctor/machine-findings.ts';
import { proxyFindings } from '../doctor/proxy-findings.ts';
import { watchSignals } from '../interruption.ts';
import type { Style } from '../terminal/terminal.ts';

export interface DoctorOptions {
  readonly json?: boolean;
}

/**
 * `sluice doctor`: what this machine has to do with whether runs work. Reads no row and
 * writes nothing.
 */
export async function doctor({ json }: DoctorOptions, context: CommandContext): Promise<number> {
  const { terminal } = context;
  const interruption = watchSignals(terminal);
  const findings: Finding[] = [];
  const add = (more: readonly Finding[]): void => {
    findings.push(...more);
    if (!json) for (const finding of more) printFinding(finding, context);
  };
  try {
    add(nodeFindings());
    const { loaded, isWhole, found } = await configurationOf(context);
    add(found);
    if (loaded !== undefined) {
      add(await dataDirectoryFindings(loaded.config.dataDirectory));
      add(memoryFindings(loaded));
      if (isWhole) {
        add(proxyFindings(loaded.config));
        add(await clockFindings(loaded.config, interruption.signal));
      }
    }
    add(packageFindings());
  } finally {
    interruption.release();
  }
  const passed = !findings.some(({ outcome }) => outcome === 'failed');
  if (json) terminal.printJson({ passed, findings });
  return interruption.signal.aborted ? EXIT.cancelled : passed ? EXIT.done : EXIT.failed;
}

interface FoundConfiguration {
  /** Absent where not even the data directory can be known. */
  readonly loaded?: LoadedConfig;
  /** Whether it has all that connections need. */
  readonly isWhole: boolean;
  readonly found: readonly Finding[];
}

async function configurationOf(context: CommandContext): Promise<FoundConfiguration> {
  const check = 'configuration';
  try {
    const loaded = await openConfig(context);
    const { files, config } = loaded;
    const count = Object.keys(config.activations).length;
    const message = `${files.join(', ')} with ${count} ${count === 1 ? 'activation' : 'activations'}`;
    return { loaded, isWhole: true, found: [{ check, outcome: 'passed', message }] };
  } catch (error) {
    const { code, message, hint } = unexpectedError(error);
    const found = [{ check, outcome: 'failed', message: `${code}: ${message}`, hint }] as const;
    const loaded = await openHistoryConfig(context).catch((cause: unknown) => {
      if (cause instanceof SluiceError) return undefined;
      throw cause;
    });
    return { ...(loaded && { loaded }), isWhole: false, found };
  }
}

const MARKS = {
  passed: ['ok', 'green'],
  noted: ['note', 'yellow'],
  failed: ['FAIL', 'red'],
} as const satisfies Record<Finding['outcome'], readonly [string, Style]>;

/** Behind `  note  ` and the name of a check. */
const TEXT_COLUMN = 23;

function printFinding({ check, outcome, message, hint }: Finding, { terminal }: CommandContext): void {
  const [mark, style] = MARKS[outcome];
  const text = [message, ...(hint === undefined ? [] : [hint])].join('; ').replace(/\s*\n\s*/g, ' ');
  const padding = ' '.repeat('note  '.length - mark.length);
  terminal.print(`  ${terminal.paint(style, mark)}${padding}${check.padEnd(14)} ${text}`, TEXT_COLUMN);
}
