import type {
  ChangeDetection,
  Readers,
  RunRecord,
  SlicedReading,
  SliceWorker,
} from '../../history/run-record.ts';
import { formatBytes, formatCount } from './quantities.ts';
import { runSummary } from './run-summary.ts';
import { sampleLines } from './sample-lines.ts';
import { escaped, type Terminal } from './terminal.ts';

/** A run, for people: outcome, counts, files, times, and what went wrong. */
export function runDescription(record: RunRecord, terminal: Terminal): string {
  const { trigger, startedAt, endedAt, retryAt, snapshotTime, previousGeneration } = record;
  const { changeDetection, readers, slices, warnings, error, reason, release } = record;
  const text = (value: string): string => escaped(terminal.clean(value));
  const lines = [runSummary(record, terminal)];
  const times = [
    `started ${startedAt}`,
    snapshotTime && `snapshot ${snapshotTime}`,
    endedAt && `ended ${endedAt}`,
    retryAt && `next attempt due ${retryAt}`,
  ];
  lines.push(`  by ${trigger}, ${times.filter(time => time !== undefined).join(', ')}`);
  if (record.params !== undefined) lines.push(`  ${text(parameterText(record.params))}`);
  if (changeDetection !== undefined) lines.push(`  ${text(describeDetection(changeDetection))}`);
  if (readers !== undefined) lines.push(`  ${text(describeReaders(readers))}`);
  if (slices !== undefined) lines.push(`  ${text(describeSlices(slices))}`);
  if (previousGeneration > 0) lines.push(`  against generation ${previousGeneration}`);
  for (const { code, message } of warnings)
    lines.push(`  ${terminal.paint('yellow', `warning ${code}`)}: ${text(message)}`);
  if (reason !== undefined)
    lines.push(`  ${terminal.paint('yellow', `held ${reason}`)}: ${text(release ?? '')}`);
  if (record.sample !== undefined)
    lines.push(...sampleLines(record.sample, record.counts, terminal).map(line => `  ${line}`));
  if (error !== undefined)
    lines.push(
      `  ${terminal.paint('red', `error ${error.code}`)}: ${text(error.message)}; ${text(error.hint)}`,
    );
  return lines.join('\n');
}

function parameterText(params: NonNullable<RunRecord['params']>): string {
  const values = Object.entries(params).map(([name, value]) => `${name} ${value ?? 'NULL'}`);
  return `with ${values.join(', ')}`;
}

function describeDetection({ mode, reason, candidates = 0 }: ChangeDetection): string {
  if (mode === 'xmin')
    return `changes found by xmin: ${formatCount(candidates)} ${candidates === 1 ? 'row' : 'rows'} read of those written since the baseline`;
  return `all rows compared${reason === undefined ? '' : `: ${reason}`}`;
}

function describeReaders({ count, slices = 1, sliceBytes = 0, reason }: Readers): string {
  if (reason !== undefined) return `read by one reader: ${reason}`;
  return `read by ${count} readers, in ${formatCount(slices)} slices of about ${formatBytes(sliceBytes)} of table`;
}

function describeSlices({ count, consistency, reason, workers }: SlicedReading): string {
  const by = workers === undefined ? '' : ` by ${workers.map(describeWorker).join(', ')}`;
  if (consistency === undefined) return `read as one slice${by}${reason === undefined ? '' : `: ${reason}`}`;
  return `read in ${formatCount(count)} slices, each in a snapshot of its own${by}`;
}

function describeWorker({ name, slices }: SliceWorker): string {
  return `${name} (${formatCount(slices)})`;
}
