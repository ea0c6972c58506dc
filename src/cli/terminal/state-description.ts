import type { ParameterValues } from '../../history/run-record.ts';
import type { AbandonedRun } from '../../state/abandon-runs.ts';
import type { BackupReport } from '../../state/back-up-state.ts';
import type { BaselineDescription, SetDescription, StateDescription } from '../../state/describe-state.ts';
import type { BackupSummary } from '../../state/list-backups.ts';
import type { RestoreReport } from '../../state/restore-state.ts';
import { formatBytes, formatCount } from './quantities.ts';
import { columnTable, fittedTable } from './table.ts';
import { escaped, type Terminal } from './terminal.ts';
import { shortTypeName } from './type-name.ts';

export function stateText(state: StateDescription, terminal: Terminal): string {
  const { runType, syncMode, baseline, sets, pending, bytes, files } = state;
  const activation = ofSet(state, terminal);
  const lines: string[] = [];
  const { inUse, lastKnown } = state;
  if (sets !== undefined && inUse === undefined) {
    const count = sets.length === 1 ? '1 baseline' : `${formatCount(sets.length)} baselines`;
    lines.push(
      `${terminal.paint('bold', activation)}: ${count}, one for each set of values (${runType}, ${syncMode})`,
    );
    if (sets.length > 0) {
      lines.push(`  on disk    ${formatBytes(bytes)} in ${files} files`);
      lines.push(setTable(sets, terminal));
    }
  } else if (inUse !== undefined) {
    const text = (value: string): string => escaped(terminal.clean(value));
    const known =
      lastKnown === undefined
        ? 'no generation is recorded yet'
        : `generation ${lastKnown.generation}, made by run ${lastKnown.run}`;
    lines.push(`${terminal.paint('bold', activation)}: ${known} (${runType}, ${syncMode})`);
    lines.push(`  in use     by ${text(inUse)}; the rest can be read when that has ended`);
    lines.push(`  on disk    ${formatBytes(bytes)} in ${files} files`);
  } else if (baseline === undefined) {
    const why = runType === 'full_only' ? 'run type full_only keeps none' : 'the next run exports every row';
    lines.push(`${terminal.paint('bold', activation)}: no baseline (${why})`);
  } else {
    const { generation, run, savedAt, keys, digest, retained, position, columns, primaryKey } = baseline;
    const text = (value: string): string => escaped(terminal.clean(value));
    lines.push(`${terminal.paint('bold', activation)}: generation ${generation} (${runType}, ${syncMode})`);
    lines.push(`  made by    run ${run}${savedAt === undefined ? '' : `, ended ${savedAt}`}`);
    lines.push(`  keys       ${formatCount(keys)}, key ${primaryKey.map(text).join(', ')}`);
    lines.push(`  digest     ${digest}`);
    lines.push(`  on disk    ${formatBytes(bytes)} in ${files} files, of each row ${RETAINED[retained]}`);
    if (position !== undefined) lines.push(`  source     ${text(positionText(position))}`);
    const rows = columns.map(({ name, type, source }) => ({
      name: text(name),
      type: text(shortTypeName(type)),
      source: text(source),
    }));
    lines.push(columnTable(rows, terminal));
  }
  for (const run of pending)
    lines.push(
      `  ${terminal.paint('yellow', 'pending')}    run ${run} is decided; \`sluice run ${state.activation}\` finishes it`,
    );
  return lines.join('\n');
}

/** The name of an activation, and the values whose baseline is meant. */
export function ofSet(
  { activation, params }: { readonly activation: string; readonly params?: ParameterValues },
  terminal: Terminal,
): string {
  return params === undefined ? activation : `${activation}, ${setText(params, terminal)}`;
}

function setText(params: ParameterValues, terminal: Terminal): string {
  const values = Object.entries(params).map(([name, value]) => `${name}=${value ?? 'NULL'}`);
  return escaped(terminal.clean(values.join(' ')));
}

function setTable(sets: readonly SetDescription[], terminal: Terminal): string {
  const titles = [
    { title: 'values' },
    { title: 'generation', align: 'right' },
    { title: 'keys', align: 'right' },
    { title: 'run' },
  ] as const;
  const rows = sets.map(({ set, params, baseline }) => [
    params === undefined ? set : setText(params, terminal),
    formatCount(baseline?.generation ?? 0),
    formatCount(baseline?.keys ?? 0),
    baseline?.run ?? '',
  ]);
  return fittedTable(titles, rows, terminal);
}

function positionText({ system, timeline, position }: NonNullable<BaselineDescription['position']>): string {
  const told = [
    system && `system ${system}`,
    timeline !== undefined && `timeline ${timeline}`,
    position && `at ${position}`,
  ];
  return told.filter(Boolean).join(', ');
}

const RETAINED = {
  nothing: 'hashes only',
  key: 'hashes and the key',
  row: 'hashes and the last values',
} as const;

export function backupTable(backups: readonly BackupSummary[], terminal: Terminal): string {
  const titles = [
    { title: 'backup' },
    { title: 'made' },
    { title: 'generation', align: 'right' },
    { title: 'keys', align: 'right' },
    { title: 'bytes', align: 'right' },
  ] as const;
  const rows = backups.map(({ backup, createdAt, generation, keys, bytes }) => [
    backup,
    `${createdAt.slice(0, 19)}Z`,
    formatCount(generation),
    formatCount(keys),
    formatBytes(bytes),
  ]);
  return fittedTable(titles, rows, terminal);
}

export function backupText(report: BackupReport, terminal: Terminal): string {
  const activation = ofSet(report, terminal);
  const { backup, generation, keys, files, bytes, filesUploaded, bytesUploaded } = report;
  return [
    `${activation}: generation ${generation} (${formatCount(keys)} keys) is backed up as ${backup}`,
    `  ${files} files, ${formatBytes(bytes)}; sent ${filesUploaded} of them, ${formatBytes(bytesUploaded)}`,
  ].join('\n');
}

export function restoreText(report: RestoreReport, terminal: Terminal): string {
  const activation = ofSet(report, terminal);
  const { backup, generation, keys, files, bytes, published } = report;
  const lines = [
    `${activation}: generation ${generation} (${formatCount(keys)} keys) is restored from backup ${backup}`,
    `  ${files} files, ${formatBytes(bytes)}; all rows read and their digest compared`,
  ];
  if (published === undefined) lines.push('the next run is a delta against it');
  else if (published.generation >= generation)
    lines.push(
      `the destination has generation ${published.generation}: the next run stops with STATE_STALE, unless it is run with --full`,
    );
  else
    lines.push(
      `the destination is at generation ${published.generation}: the next run does what onDestinationReset says`,
    );
  return lines.join('\n');
}

export function abandonedLines({ run, visible, notLookedUp, isLatest }: AbandonedRun): string[] {
  if (visible === undefined)
    return [
      `run ${run} is given up; which of its files are published could not be looked up: ${notLookedUp}`,
    ];
  if (visible.length === 0) return [`run ${run} is given up; none of its files is published`];
  const next = isLatest
    ? 'and latest.json names it: the next run must be made with --full'
    : 'the next run exports its changes again';
  return [
    `run ${run} is given up; of its files these are published and stay, ${next}`,
    ...visible.map(name => `  ${name}`),
  ];
}
