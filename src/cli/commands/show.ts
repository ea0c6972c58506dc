import { EXIT, SluiceError } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';
import { runSummary } from '../terminal/run-summary.ts';
import { escaped, type Terminal } from '../terminal/terminal.ts';

export interface ShowOptions {
  readonly json?: boolean;
}

/** `sluice show`: one run of the local history, or of the daemon that has it under way. */
export async function show(run: string, { json }: ShowOptions, context: CommandContext): Promise<number> {
  const { terminal } = context;
  const { config } = await openHistoryConfig(context);
  const { findRun } = await import('../../history/record-files.ts');
  const { acceptedRuns } = await import('../../daemon/queue/request-log.ts');
  const { dataDirectory } = config;
  // In this order: a run that ends meanwhile is in the history before it leaves the queue.
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
  if (json) terminal.printJson(record);
  else terminal.print(description(record, terminal), 4);
  return EXIT.done;
}

function description(record: RunRecord, terminal: Terminal): string {
  const { trigger, startedAt, endedAt, retryAt, snapshotTime, previousGeneration } = record;
  const { warnings, error, reason, release } = record;
  const text = (value: string): string => escaped(terminal.clean(value));
  const lines = [runSummary(record, terminal)];
  const times = [
    `started ${startedAt}`,
    snapshotTime && `snapshot ${snapshotTime}`,
    endedAt && `ended ${endedAt}`,
    retryAt && `next attempt due ${retryAt}`,
  ];
  lines.push(`  by ${trigger}, ${times.filter(time => time !== undefined).join(', ')}`);
  if (previousGeneration > 0) lines.push(`  against generation ${previousGeneration}`);
  for (const { code, message } of warnings)
    lines.push(`  ${terminal.paint('yellow', `warning ${code}`)}: ${text(message)}`);
  if (reason !== undefined)
    lines.push(`  ${terminal.paint('yellow', `held ${reason}`)}: ${text(release ?? '')}`);
  if (error !== undefined)
    lines.push(
      `  ${terminal.paint('red', `error ${error.code}`)}: ${text(error.message)}; ${text(error.hint)}`,
    );
  return lines.join('\n');
}
