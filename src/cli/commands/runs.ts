import { knownNames } from '../../config/checks/nearest-name.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';
import { formatBytes, formatCount, formatDuration } from '../terminal/quantities.ts';
import { elapsedMs } from '../terminal/run-summary.ts';
import { fittedTableLines } from '../terminal/table.ts';
import type { Style, Terminal } from '../terminal/terminal.ts';

export interface RunsOptions {
  readonly limit: number;
  readonly json?: boolean;
}

/** `sluice runs`: what this data directory remembers of runs, and those that its daemon has under way, the newest first. */
export async function runs(
  name: string | undefined,
  { limit, json }: RunsOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { config } = await openHistoryConfig(context);
  const { activationsIn, listRuns } = await import('../../history/record-files.ts');
  const { dataDirectory } = config;
  // Before the history: a run that ends meanwhile is in that before it leaves the queue.
  const live = await liveRecords(dataDirectory, terminal);
  if (name !== undefined && !Object.hasOwn(config.activations, name)) {
    // An activation that has left the configuration keeps its history.
    const seen = [...(await activationsIn(dataDirectory)), ...live.map(({ activation }) => activation)];
    if (!seen.includes(name)) {
      const known = knownNames(name, Object.keys(config.activations));
      throw new SluiceError('NAME_UNKNOWN', `there is no activation ${JSON.stringify(name)}; ${known}`);
    }
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
  const records = all.slice(0, limit);
  const more = ended.more || all.length > limit;
  for (const path of unreadable) terminal.note(`${path} is no record of a run and was left out`);
  if (json) for (const record of records) terminal.printJson(record);
  else if (records.length === 0) terminal.print('no runs yet');
  else terminal.print(runsTable(records, terminal));
  if (more && !json) terminal.note(`there are older ones; see them with --limit`);
  return EXIT.done;
}

async function liveRecords(dataDirectory: string, terminal: Terminal): Promise<readonly RunRecord[]> {
  const { acceptedRuns } = await import('../../daemon/queue/request-log.ts');
  try {
    return (await acceptedRuns(dataDirectory)).map(({ record }) => record);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    terminal.note(`${error.message}; runs that have not ended are left out`);
    return [];
  }
}

export const STATE_STYLES: Readonly<Partial<Record<RunRecord['state'], Style>>> = {
  succeeded: 'green',
  recovered: 'green',
  failed: 'red',
  held: 'yellow',
  cancelled: 'yellow',
};

function runsTable(records: readonly RunRecord[], terminal: Terminal): string {
  const titles = [
    { title: 'run' },
    { title: 'activation', cut: true },
    { title: 'state' },
    { title: 'kind', leaveOut: 4 },
    { title: 'generation', align: 'right', leaveOut: 1 },
    { title: 'read', align: 'right', leaveOut: 3 },
    { title: 'written', align: 'right', leaveOut: 6 },
    { title: 'bytes', align: 'right', leaveOut: 2 },
    { title: 'took', align: 'right', leaveOut: 5 },
    { title: 'error' },
  ] as const;
  const rows = records.map(record => {
    const { run, activation, state, full, generation, counts, error } = record;
    const style = STATE_STYLES[state];
    return [
      run,
      activation,
      style === undefined ? state : terminal.paint(style, state),
      full ? 'full' : 'delta',
      generation > 0 ? formatCount(generation) : '',
      formatCount(counts.read),
      formatCount(counts.written),
      formatBytes(counts.bytes),
      record.endedAt === undefined ? '' : formatDuration(elapsedMs(record)),
      error?.code ?? '',
    ];
  });
  const [head = '', ...lines] = fittedTableLines(titles, rows, terminal.outColumns);
  return [terminal.paint('dim', head), ...lines].join('\n');
}
