import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadedConfig } from '../../config/load.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { hasEnded } from '../../history/run-state.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';
import { withDaemon } from '../daemon-client/connect-to-daemon.ts';
import { followRun } from '../daemon-client/follow-run.ts';
import { exitCodeOfRecord } from '../exit-code.ts';
import { withInterruption } from '../interruption.ts';
import { runDescription } from '../terminal/run-description.ts';

export interface ShowOptions {
  readonly follow?: boolean;
  /** URL of a daemon that is asked instead. */
  readonly on?: string;
  readonly json?: boolean;
}

/**
 * `sluice show`: one run of the local history, or of a daemon; with `--follow` once it
 * has ended.
 */
export async function show(run: string, options: ShowOptions, context: CommandContext): Promise<number> {
  const { terminal } = context;
  const { follow, on, json } = options;
  const record =
    on === undefined ? await runHere(run, options, context) : await runOf(on, run, options, context);
  if (json) terminal.printJson(record);
  else terminal.print(runDescription(record, terminal), 4);
  return follow ? exitCodeOfRecord(record) : EXIT.done;
}

function runOf(
  url: string,
  run: string,
  { follow, json }: ShowOptions,
  context: CommandContext,
): Promise<RunRecord> {
  const { terminal } = context;
  return withDaemon(url, context, async (client, signal) => {
    const record = await client.run(run);
    return follow
      ? followRun(record, { client, terminal, signal, isSilent: json === true || terminal.isQuiet })
      : record;
  });
}

/** How long a run that is followed here is left alone between two looks. */
const LOOK_EVERY_MS = 500;

/**
 * Nobody but a daemon tells the progress of a run: here it is looked for until it has
 * ended.
 */
async function runHere(
  run: string,
  { follow, json }: ShowOptions,
  context: CommandContext,
): Promise<RunRecord> {
  const { config } = await openHistoryConfig(context);
  const first = await findHere(run, config);
  if (!follow || hasEnded(first)) return first;
  return withInterruption(context.terminal, 'no longer waiting; the run continues', async signal => {
    let record = first;
    let said = '';
    while (!hasEnded(record)) {
      if (record.state !== said && !json) context.terminal.note(`${record.activation}: ${record.state}`);
      said = record.state;
      await sleep(LOOK_EVERY_MS, undefined, { signal });
      record = await findHere(run, config);
    }
    return record;
  });
}

async function findHere(run: string, config: LoadedConfig['config']): Promise<RunRecord> {
  const { findRun } = await import('../../history/record-files.ts');
  const { acceptedRuns } = await import('../../daemon/queue/request-log.ts');
  const { dataDirectory } = config;
  // In this order: a run that ends meanwhile is in the history before it leaves the
  // queue.
  const queue = await acceptedRuns(dataDirectory).catch((error: unknown) => ({ error }));
  const live = 'error' in queue ? undefined : queue.find(({ record }) => record.run === run)?.record;
  const record = (await findRun(dataDirectory, run)) ?? live;
  // It may stand in what cannot be read.
  if (record === undefined && 'error' in queue) throw queue.error;
  if (record === undefined) {
    const isActivation = Object.hasOwn(config.activations, run);
    const what = `there is no run ${JSON.stringify(run)} in the history of ${dataDirectory}`;
    throw new SluiceError('NAME_UNKNOWN', isActivation ? `${what}; it is an activation` : what, {
      hint: `\`sluice runs${isActivation ? ` ${run}` : ''}\` lists the ids of runs`,
    });
  }
  return record;
}
