import { resolve } from 'node:path';
import { type ResolvedActivation, resolveActivation } from '../../config/activation.ts';
import { acceptParameters } from '../../config/parameters/bind-parameters.ts';
import { makeFolder } from '../../disk/durable-file.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { ExportResult } from '../../run/export-run.ts';
import { exportTo } from '../../run/export-to.ts';
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
  /** A local folder in the place of the destination; made where it is missing. */
  readonly to?: string;
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
  // Nothing is asked of a destination that another one stands in for.
  const isUnneeded = ([section]: readonly (string | number)[]) => section === 'destinations';
  const { config } = await openConfig(context, options.to === undefined ? undefined : isUnneeded);
  const folder = options.to === undefined ? undefined : await madeFolder(options.to);
  const activations: ResolvedActivation[] = [];
  const refused: number[] = [];
  for (const name of options.all ? Object.keys(config.activations) : names) {
    try {
      const activation = resolveActivation(config, name);
      acceptParameters(activation, options.param, text => terminal.clean(text));
      activations.push(folder === undefined ? activation : exportTo(activation, folder));
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

/** Gives the folder of `--to` as an absolute path, and makes it where it is missing. */
async function madeFolder(folder: string): Promise<string> {
  const path = resolve(folder);
  try {
    await makeFolder(path, 0o777);
    return path;
  } catch (cause) {
    const message = `--to ${folder}: ${(cause as Error).message}`;
    throw new SluiceError('USAGE', message, { cause, hint: 'name a folder that can be made or written' });
  }
}

async function runOne(
  activation: ResolvedActivation,
  { full, allowRemovals, param: params, json }: RunOptions,
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
      ...(params && { params }),
      signal,
      clean: text => terminal.clean(text),
      ...(display && { observe: display.observe }),
    });
  } finally {
    display?.stop();
  }
}
