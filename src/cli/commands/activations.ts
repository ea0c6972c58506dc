import type { LoadedConfig } from '../../config/load.ts';
import { EXIT } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';
import { formatInstant, formatInterval } from '../terminal/quantities.ts';
import { STATE_STYLES } from '../terminal/runs-table.ts';
import { fittedTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface ActivationsOptions {
  readonly json?: boolean;
}

interface ListedActivation {
  readonly activation: string;
  readonly model: string;
  readonly segment?: string;
  readonly source: string;
  readonly destination: string;
  readonly fileName: string;
  readonly format: string;
  readonly runType: RunRecord['runType'];
  readonly syncMode: RunRecord['syncMode'];
  readonly schedule: readonly string[];
  readonly lastRun?: Pick<RunRecord, 'run' | 'state' | 'startedAt' | 'endedAt'>;
}

/** `sluice activations`: what is configured, with the last run of each. */
export async function activations({ json }: ActivationsOptions, context: CommandContext): Promise<number> {
  const { terminal } = context;
  const { config } = await openHistoryConfig(context);
  const { listRuns } = await import('../../history/record-files.ts');
  const { dataDirectory } = config;
  const listed: ListedActivation[] = [];
  for (const name of Object.keys(config.activations)) {
    const [last] = (await listRuns({ dataDirectory, activation: name, limit: 1 })).records;
    listed.push(describe(config, name, last));
  }
  if (json) for (const activation of listed) terminal.printJson(activation);
  else if (listed.length === 0) terminal.print('no activations are configured');
  else terminal.print(activationTable(listed, terminal));
  return EXIT.done;
}

function describe(
  { activations, segments, models }: LoadedConfig['config'],
  name: string,
  last: RunRecord | undefined,
): ListedActivation {
  const { segment, destination, fileName, format, runType, syncMode, schedule, ...own } = activations[name]!;
  const model = (segment === undefined ? own.model : segments[segment]?.model) ?? '';
  return {
    activation: name,
    model,
    ...(segment !== undefined && { segment }),
    source: models[model]?.source ?? '',
    destination,
    fileName,
    format: format.type,
    runType,
    syncMode,
    schedule: schedule.map(entry => {
      if ('after' in entry) return `after ${entry.after}`;
      return 'cron' in entry ? `${entry.cron} ${entry.timezone}` : `every ${formatInterval(entry.every)}`;
    }),
    ...(last && {
      lastRun: {
        run: last.run,
        state: last.state,
        startedAt: last.startedAt,
        ...(last.endedAt !== undefined && { endedAt: last.endedAt }),
      },
    }),
  };
}

function activationTable(listed: readonly ListedActivation[], terminal: Terminal): string {
  const titles = [
    { title: 'activation', cut: true },
    { title: 'source', leaveOut: 2 },
    { title: 'destination', leaveOut: 1 },
    { title: 'schedule', cut: true },
    { title: 'last run' },
  ];
  const rows = listed.map(({ activation, source, destination, schedule, lastRun }) => [
    activation,
    source,
    destination,
    schedule.length === 0 ? 'none' : terminal.clean(schedule.join(', ')),
    lastRun === undefined ? 'never' : lastRunText(lastRun, terminal),
  ]);
  return fittedTable(titles, rows, terminal);
}

function lastRunText(
  { state, startedAt }: Pick<RunRecord, 'state' | 'startedAt'>,
  terminal: Terminal,
): string {
  const style = STATE_STYLES[state];
  const shown = style === undefined ? state : terminal.paint(style, state);
  return `${shown} ${formatInstant(startedAt)}`;
}
