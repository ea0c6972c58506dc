import type { ActivationStatus } from '../../daemon/operations.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { formatCount, formatDuration, formatInstant } from './quantities.ts';
import { elapsedMs } from './run-summary.ts';
import { STATE_STYLES } from './runs-table.ts';
import { fittedTable } from './table.ts';
import { escaped, type Terminal } from './terminal.ts';

/**
 * One line for each activation: what it does, when it ran and is due, and what needs
 * attention.
 */
export function statusTable(statuses: readonly ActivationStatus[], terminal: Terminal): string {
  const titles = [
    { title: 'activation', cut: true },
    { title: 'state' },
    { title: 'last run', leaveOut: 4 },
    { title: 'took', align: 'right', leaveOut: 1 },
    { title: 'written', align: 'right', leaveOut: 2 },
    { title: 'next', leaveOut: 3 },
    { title: 'attention' },
  ] as const;
  const rows = statuses.map(status => {
    const { name, lastRun, nextRunAt } = status;
    return [
      name,
      stateOf(status, terminal),
      lastRun === undefined ? 'never' : formatInstant(lastRun.startedAt),
      lastRun?.endedAt === undefined ? '' : formatDuration(elapsedMs(lastRun)),
      lastRun === undefined ? '' : formatCount(lastRun.counts.written),
      nextRunAt === undefined ? '' : formatInstant(nextRunAt),
      attentionOf(status).join(', '),
    ];
  });
  return fittedTable(titles, rows, terminal);
}

/** Everything that is known of one activation. */
export function statusDetails(status: ActivationStatus, terminal: Terminal): string {
  const { name, model, segment, destination, format, runType, syncMode } = status;
  const { paused, running, queued, lastRun, lastSuccessAt, nextRunAt, warnings } = status;
  const text = (value: string): string => escaped(terminal.clean(value));
  const what = segment === undefined ? `model ${model}` : `segment ${segment} of model ${model}`;
  const lines: (readonly [label: string, text: string] | undefined)[] = [
    ['exports', `${what} to ${destination} as ${format} (${runType}, ${syncMode})`],
    paused && [
      'paused',
      `by ${paused.by} since ${paused.since}${paused.reason && `: ${text(paused.reason)}`}`,
    ],
    running === undefined ? undefined : ['running', running],
    queued.length === 0 ? undefined : ['queued', queued.join(', ')],
    ['last run', lastRun === undefined ? 'never' : lastRunText(lastRun)],
    lastRun?.error && [
      'error',
      `${lastRun.error.code}: ${text(lastRun.error.message)}; ${text(lastRun.error.hint)}`,
    ],
    lastRun?.release === undefined ? undefined : ['held', `${lastRun.reason}: ${text(lastRun.release)}`],
    lastSuccessAt === undefined ? undefined : ['last success', lastSuccessAt],
    nextRunAt === undefined ? undefined : ['next run', nextRunAt],
    ...warnings.map(
      ({ code, message, since }) => ['warning', `${code} since ${since}: ${text(message)}`] as const,
    ),
  ];
  const shown = lines.filter(line => line !== undefined);
  const head = `${terminal.paint('bold', name)}: ${stateOf(status, terminal)}`;
  return [head, ...shown.map(([label, value]) => `  ${label.padEnd(14)}${value}`)].join('\n');
}

function lastRunText(record: RunRecord): string {
  const { run, state, endedAt, counts } = record;
  const took = endedAt === undefined ? '' : ` in ${formatDuration(elapsedMs(record))}`;
  return `${run}, ${state}${took}, read ${formatCount(counts.read)}, written ${formatCount(counts.written)}`;
}

function stateOf({ paused, running, queued, lastRun }: ActivationStatus, terminal: Terminal): string {
  if (running !== undefined) return terminal.paint('cyan', 'running');
  if (paused !== undefined) return terminal.paint('yellow', 'paused');
  if (queued.length > 0) return terminal.paint('cyan', 'queued');
  if (lastRun === undefined) return 'never run';
  const style = STATE_STYLES[lastRun.state];
  return style === undefined ? lastRun.state : terminal.paint(style, lastRun.state);
}

/** Codes, which `sluice explain` says more of. */
function attentionOf({ paused, lastRun, warnings }: ActivationStatus): string[] {
  const { error, reason } = lastRun ?? {};
  const codes = [paused && 'PAUSED', reason ?? error?.code, ...warnings.map(({ code }) => code)];
  return [...new Set(codes.filter(code => code !== undefined))];
}
