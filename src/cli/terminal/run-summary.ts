import type { RunRecord } from '../../history/run-record.ts';
import { formatBytes, formatCount, formatDuration } from './quantities.ts';
import { tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

/** What a run did, for people: outcome, counts, files. */
export function runSummary(record: RunRecord, terminal: Terminal): string {
  const { activation, run, state, full, generation, files } = record;
  const title = terminal.paint('bold', `${activation}: ${state}`);
  // A run that ended without a decision has made none.
  const made = generation > 0 ? `, generation ${generation}` : '';
  const kind =
    record.runType === 'full_only' ? 'full' : `${full ? 'full' : 'delta'}, ${record.syncMode}${made}`;
  const took = record.endedAt === undefined ? '' : ` in ${formatDuration(elapsedMs(record))}`;
  const lines = [`${title}${took} (${kind}; run ${run})`];
  if (record.to !== undefined) lines.push(`  to ${terminal.clean(record.to)}`);
  lines.push(`  ${countsLine(record)}`);
  if (files.length > 0) {
    const rows = files.map(file => [
      terminal.clean(file.name),
      formatCount(file.rows),
      formatBytes(file.bytes),
    ]);
    const titles = [
      { title: 'file' },
      { title: 'rows', align: 'right' },
      { title: 'bytes', align: 'right' },
    ] as const;
    lines.push(
      ...tableLines(titles, rows).map(
        (line, index) => `  ${index === 0 ? terminal.paint('dim', line) : line}`,
      ),
    );
  }
  if (record.completion !== undefined)
    lines.push(`  then ${record.completion.map(terminal.clean).join(', ')}`);
  return lines.join('\n');
}

/**
 * `read 10, added 2, …`, without what is zero. A run that compares with nothing has no
 * added rows to speak of.
 */
function countsLine({ counts, runType }: RunRecord): string {
  const { read, written, bytes, ...changes } = counts;
  const { skipped } = changes;
  const between = Object.entries(runType === 'full_only' ? { skipped } : changes).filter(
    ([, count]) => count > 0,
  );
  const shown = [['read', read] as const, ...between, ['written', written] as const];
  return [...shown.map(([name, count]) => `${name} ${formatCount(count)}`), formatBytes(bytes)].join(', ');
}

export function elapsedMs({ startedAt, endedAt }: RunRecord): number {
  return endedAt === undefined ? 0 : Date.parse(endedAt) - Date.parse(startedAt);
}
