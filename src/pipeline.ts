import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SluiceError } from './errors.ts';
import type { EndOfData, RowSource, SnapshotMark } from './sources/source.ts';
import { type MappingPlan, mapColumns } from './transforms/map-columns.ts';
import type { RowTransform } from './transforms/transform.ts';

/** The stages of one export, opened and ready. */
export interface Pipeline {
  readonly source: Pick<RowSource, 'read' | 'finish' | 'changes'>;
  /** Its fields are what the source is asked for. */
  readonly mapping: MappingPlan;
  /** Where only rows are wanted that were written since. */
  readonly since?: SnapshotMark | undefined;
  /** Present in runs that are compared with a baseline. */
  readonly diff?: RowTransform | undefined;
  /** Present where files are partitioned: brings rows of a partition together. */
  readonly partitions?: RowTransform | undefined;
  /** Encodes rows into parts and stages them as blocks. */
  readonly sink: Writable;
  readonly signal: AbortSignal;
  /** Also counts what the diff asks of the source once the rows have come. */
  readonly arrived?: ArrivedRows;
}

/** Counts the rows that have come from the source. */
export class ArrivedRows {
  count = 0;
  readonly #onRows: () => void;

  /** `onRows` is called whenever rows have come. */
  constructor(onRows = (): void => {}) {
    this.#onRows = onRows;
  }

  readonly add = (count: number): void => {
    this.count += count;
    this.#onRows();
  };
}

/**
 * The flow of every export:
 *
 *   source ─▶ map columns ─▶ hash diff ─▶ partitions ─▶ rolling blob sink
 *
 * The sink has an encoder for each part. Chunks are `RowBatch`es. Each stage pulls the
 * next batch when it has room, so the slowest sets the pace and memory does not grow with
 * the rows. When any stage fails or the signal aborts, all of them are destroyed and this
 * rejects with the first failure.
 *
 * Resolved means: the source has proven its end, and as many rows have arrived as it
 * counted. Nothing is visible yet. Rejects with SOURCE_INCOMPLETE where the counts
 * differ.
 */
export async function flow({
  source,
  mapping,
  since,
  diff,
  partitions,
  sink,
  signal,
  arrived = new ArrivedRows(),
}: Pipeline): Promise<EndOfData> {
  const { fields, partitionFields } = mapping;
  const groupedBy = partitionFields?.map(place => fields[place]!);
  const rows =
    since === undefined ? source.read(fields, groupedBy) : source.changes!.readSince(since, fields);
  // A stage that waits for room would not notice.
  rows.once('close', () => {
    if (!rows.readableEnded) sink.destroy(new Error('the source was closed before its end'));
  });
  const map = mapColumns(fields, mapping, arrived.add);
  const stages: unknown[] = [rows, map, ...(diff ? [diff] : []), ...(partitions ? [partitions] : []), sink];
  await pipeline(stages as NodeJS.ReadWriteStream[], { signal });
  const end = await source.finish();
  if (end.rows === arrived.count) return end;
  const message = `the source counted ${end.rows} rows, but ${arrived.count} passed the pipeline`;
  throw new SluiceError('SOURCE_INCOMPLETE', message, { stage: 'source' });
}
