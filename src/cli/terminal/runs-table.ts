import type { RunRecord } from '../../history/run-record.ts';
import { formatBytes, formatCount, formatDuration } from './quantities.ts';
import { elapsedMs } from './run-summary.ts';
import { fittedTable } from './table.ts';
import type { Style, Terminal } from './terminal.ts';

export const STATE_STYLES: Readonly<Partial<Record<RunRecord['state'], Style>>> = {
  succeeded: 'green',
  recovered: 'green',
  failed: 'red',
  held: 'yellow',
  cancelled: 'yellow',
};

/** One line for each run. */
export function runsTable(records: readonly RunRecord[], terminal: Terminal): string {
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
  return fittedTable(titles, rows, terminal);
}
