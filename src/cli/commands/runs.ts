import { unknownNameError } from '../../config/checks/nearest-name.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';
import { withDaemon } from '../daemon-client/connect-to-daemon.ts';
import { runsTable } from '../terminal/runs-table.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface RunsOptions {
  readonly limit: number;
  /** URL of a daemon that is asked instead. */
  readonly on?: string;
  readonly json?: boolean;
}

interface FoundRuns {
  readonly records: readonly RunRecord[];
  readonly more: boolean;
}

/**
 * `sluice runs`: those that a data directory or a daemon remembers, and those that are
 * under way, the newest first.
 */
export async function runs(
  name: string | undefined,
  { limit, on, json }: RunsOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { records, more } =
    on === undefined ? await runsHere(name, limit, context) : await runsOf(on, name, limit, context);
  if (json) for (const record of records) terminal.printJson(record);
  else if (records.length === 0) terminal.print('no runs yet');
  else terminal.print(runsTable(records, terminal));
  if (more && !json) terminal.note(`there are older ones; see them with --limit`);
  return EXIT.done;
}

/** The most that the API gives in one answer. */
const PAGE_RUNS = 200;

function runsOf(
  url: string,
  name: string | undefined,
  limit: number,
  context: CommandContext,
): Promise<FoundRuns> {
  return withDaemon(url, context, async client => {
    const records: RunRecord[] = [];
    for (let more = true; more && records.length < limit; ) {
      const page = await client.runs({
        ...(name !== undefined && { activation: name }),
        limit: Math.min(PAGE_RUNS, limit - records.length),
        ...(records.length > 0 && { before: records.at(-1)!.run }),
      });
      records.push(...page.runs);
      more = page.more && page.runs.length > 0;
      if (!more) return { records, more };
    }
    return { records, more: true };
  });
}

async function runsHere(
  name: string | undefined,
  limit: number,
  context: CommandContext,
): Promise<FoundRuns> {
  const { terminal } = context;
  const { config } = await openHistoryConfig(context);
  const { activationsIn, listRuns } = await import('../../history/record-files.ts');
  const { dataDirectory } = config;
  // Before the history: a run that ends meanwhile is in that before it leaves the queue.
  const live = await liveRecords(dataDirectory, terminal);
  if (name !== undefined && !Object.hasOwn(config.activations, name)) {
    // An activation that has left the configuration keeps its history.
    const seen = [...(await activationsIn(dataDirectory)), ...live.map(({ activation }) => activation)];
    if (!seen.includes(name)) throw unknownNameError('activation', name, Object.keys(config.activations));
  }
  const ended = await listRuns({
    dataDirectory,
    limit,
    ...(name !== undefined && { activation: name }),
  });
  const { unreadable } = ended;
  const isEnded = new Set(ended.records.map(({ run }) => run));
  const waiting = live.filter(
    ({ run, activation }) => !isEnded.has(run) && (name === undefined || activation === name),
  );
  const all = [...ended.records, ...waiting].sort((a, b) => (a.run < b.run ? 1 : -1));
  for (const path of unreadable) terminal.note(`${path} is not a record of a run and was left out`);
  return { records: all.slice(0, limit), more: ended.more || all.length > limit };
}

/**
 * Records of runs that have not ended; a queue that cannot be read is said, and left out.
 */
export async function liveRecords(dataDirectory: string, terminal: Terminal): Promise<readonly RunRecord[]> {
  const { acceptedRuns } = await import('../../daemon/queue/request-log.ts');
  try {
    return (await acceptedRuns(dataDirectory)).map(({ record }) => record);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    terminal.note(`${error.message}; runs that have not ended are left out`);
    return [];
  }
}
