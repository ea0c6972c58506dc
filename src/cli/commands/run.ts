import { type ResolvedActivation, resolveActivation } from '../../config/activation.ts';
import { EXIT } from '../../errors.ts';
import type { ExportResult } from '../../run/export-run.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import type { RunOnDaemonOptions } from '../daemon-client/run-on-daemon.ts';
import { exitCodeOf, exitCodeOfError, gravest } from '../exit-code.ts';
import { noteFailure } from '../failure.ts';
import { watchSignals } from '../interruption.ts';
import { displayProgress } from '../terminal/progress.ts';
import { reportRun } from '../terminal/report-run.ts';

export interface RunOptions extends RunOnDaemonOptions {
  /** URL of the daemon that is to make the runs. */
  readonly on?: string;
}

/**
 * `sluice run`: each activation in turn. Nothing is run where one of the names is wrong.
 */
export async function run(
  names: readonly string[],
  options: RunOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal, verbose } = context;
  if (options.on !== undefined) {
    const { runOnDaemon } = await import('../daemon-client/run-on-daemon.ts');
    return runOnDaemon(options.on, names, options, context);
  }
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
      reportRun(result, options, context);
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
  const display =
    json || terminal.isQuiet ? undefined : displayProgress({ activation: activation.name, terminal });
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
