import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Column } from './row-batch.ts';
import type { EndOfData, RowSource, SnapshotMark } from './sources/source.ts';
import type { RowTransform } from './transforms/transform.ts';

/** The stages of one export, opened and ready. */
export interface Pipeline {
  readonly source: RowSource;
  /** What the source is asked for. */
  readonly columns: readonly Column[];
  /** Where only rows are wanted that were written since. */
  readonly since?: SnapshotMark | undefined;
  /** Mapping, and for runs with a baseline the diff. */
  readonly transforms: readonly RowTransform[];
  /** Encodes rows into parts and stages them as blocks. */
  readonly sink: Writable;
  readonly signal: AbortSignal;
}

/**
 * The flow of every export:
 *
 *   source ─▶ map columns ─▶ hash diff ─▶ rolling blob sink (one encoder a part)
 *
 * Chunks are `RowBatch`es. Each stage pulls the next batch when it has room, so the
 * slowest sets the pace and memory does not grow with the rows. When any stage fails or
 * the signal aborts, all of them are destroyed and this rejects with the first failure.
 *
 * Resolved means: the source has proven its end, and every row has passed the sink.
 * Nothing is visible yet.
 */
export async function flow({
  source,
  columns,
  since,
  transforms,
  sink,
  signal,
}: Pipeline): Promise<EndOfData> {
  const rows = since === undefined ? source.read(columns) : source.changes!.readSince(since, columns);
  const stages: unknown[] = [rows, ...transforms, sink];
  await pipeline(stages as NodeJS.ReadWriteStream[], { signal });
  return source.finish();
}
