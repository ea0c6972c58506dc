import type { RowBatch } from '../row-batch.ts';

/**
 * A stage between the source and the sink: an async generator that `stream.pipeline`
 * takes as a transform. It pulls a batch only when the stage behind it has room, throws
 * to fail the run, and does its last work after its input ended.
 */
export type RowTransform = (batches: AsyncIterable<RowBatch>) => AsyncIterable<RowBatch>;
