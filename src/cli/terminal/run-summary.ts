import type { RunFile, RunRecord } from '../../history/run-record.ts';
import { formatBytes, formatCount, formatDuration } from './quantities.ts';
import { fittedTable, indented, narrower } from './table.ts';
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
  lines.push(...fileLines(files, terminal));
  if (record.completion !== undefined)
    lines.push(`  then ${record.completion.map(name => terminal.clean(name)).join(', ')}`);
  return lines.join('\n');
}

/** A table of files; nothing where there are none. */
export function fileLines(
  files: readonly Pick<RunFile, 'name' | 'rows' | 'bytes'>[],
  terminal: Terminal,
): string[] {
  if (files.length === 0) return [];
  const rows = files.map(({ name, rows, bytes }) => [
    terminal.clean(name),
    formatCount(rows),
    formatBytes(bytes),
  ]);
  const titles = [
    { title: 'file' },
    { title: 'rows', align: 'right' },
    { title: 'bytes', align: 'right' },
  ] as const;
  return [indented(fittedTable(titles, rows, narrower(terminal)))];
}

/**
 * `read 10, added 2, …`, without what is zero. A run that compares with nothing has no
 * added rows to speak of.
 */
export function countsLine({ counts, runType }: Pick<RunRecord, 'counts' | 'runType'>): string {
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
