import { type ResolvedActivation, resolveActivation } from '../../config/activation.ts';
import { EXIT } from '../../errors.ts';
import type { ExportResult } from '../../run/export-run.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { exitCodeOf, exitCodeOfError, gravest } from '../exit-code.ts';
import { noteFailure } from '../failure.ts';
import { watchSignals } from '../interruption.ts';
import { displayProgress } from '../terminal/progress.ts';
import { runSummary } from '../terminal/run-summary.ts';

export interface RunOptions {
  readonly all?: boolean;
  readonly full?: boolean;
  readonly json?: boolean;
  readonly allowRemovals?: boolean;
}

/** `sluice run`: each activation in turn. Nothing is run where one of the names is wrong. */
export async function run(
  names: readonly string[],
  options: RunOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal, verbose } = context;
  const { config } = await openConfig(context);
  const activations: ResolvedActivation[] = [];
  const refused: number[] = [];
  for (const name of options.all ? Object.keys(config.activations) : names) {
    try {
      activations.push(resolveActivation(config, name));
    } catch (error) {
      noteFailure(terminal, error, { verbose });
      refused.push(exitCodeOfError(error));
    }
  }
  if (refused.length > 0) return gravest(refused);

  const interruption = watchSignals(terminal);
  const codes: number[] = [];
  try {
    for (const activation of activations) {
      if (interruption.signal.aborted) {
        terminal.note(`${activation.name}: not run`);
        codes.push(EXIT.cancelled);
        continue;
      }
      const result = await runOne(activation, options, interruption.signal, context);
      report(result, options, context);
      codes.push(exitCodeOf(result));
    }
  } finally {
    interruption.release();
  }
  return gravest(codes);
}

async function runOne(
  activation: ResolvedActivation,
  { full, allowRemovals, json }: RunOptions,
  signal: AbortSignal,
  { terminal }: CommandContext,
): Promise<ExportResult> {
  const display = json ? undefined : displayProgress({ activation: activation.name, terminal });
  try {
    const { exportRun } = await import('../../run/export-run.ts');
    return await exportRun({
      activation,
      trigger: 'command',
      full: full === true,
      allowRemovals: allowRemovals === true,
      signal,
      ...(display && { observe: display.observe }),
    });
  } finally {
    display?.stop();
  }
}

/** Outcome on standard output; errors, warnings and what else happened on standard error. */
function report(
  { record, error, recovered }: ExportResult,
  options: RunOptions,
  context: CommandContext,
): void {
  const { terminal, verbose } = context;
  const { activation, state, warnings, release } = record;
  for (const earlier of recovered) {
    const count = earlier.files.length === 1 ? '1 file' : `${earlier.files.length} files`;
    terminal.note(`${activation}: the earlier run ${earlier.run} was finished first (${count})`);
  }
  for (const { code, message } of warnings) {
    if (code === 'HELD') {
      terminal.note(`${terminal.paintNote('yellow', 'held')} ${activation}: ${message}; ${release}`);
    } else {
      terminal.note(`${terminal.paintNote('yellow', `warning ${code}`)}: ${activation}: ${message}`);
    }
  }
  if (state === 'failed' || state === 'cancelled') {
    noteFailure(terminal, error, { on: activation, verbose });
  }
  if (options.json) terminal.printJson(record);
  else if (state === 'succeeded') terminal.print(runSummary(record, terminal), 4);
}
