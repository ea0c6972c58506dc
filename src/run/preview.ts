import { addAbortSignal } from 'node:stream';
import { createSource } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import type { Column, RowBatch } from '../row-batch.ts';
import { planMapping } from '../transforms/map-columns.ts';

export interface PreviewRequest {
  readonly activation: ResolvedActivation;
  /** At most so many rows. */
  readonly rows: number;
  readonly signal: AbortSignal;
}

export interface Preview {
  /** As files would hold them. */
  readonly columns: readonly Column[];
  /** Texts as the source sent them; `null` for NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Whether these are all the rows that there are. */
  readonly complete: boolean;
}

/**
 * The first mapped rows of an activation. The source is told to stop as soon as there are enough; nothing is compared
 * or written. Rejects with what the source or the mapping says, or with CANCELLED.
 */
export async function previewActivation({
  activation,
  rows: limit,
  signal,
}: PreviewRequest): Promise<Preview> {
  const source = createSource(activation);
  const stop = (): void => void source.close();
  signal.addEventListener('abort', stop);
  try {
    signal.throwIfAborted();
    const { columns } = await source.describe();
    const { written } = planMapping({
      modelName: activation.model.name,
      columns,
      mapping: activation.mapping,
      primaryKey: activation.model.primaryKey,
    });
    signal.throwIfAborted();
    const rows: (string | null)[][] = [];
    // Leaving the loop destroys the stream, which makes the source give up the query.
    for await (const batch of addAbortSignal(signal, source.read(written))) {
      takeRows(batch as RowBatch, written.length, rows, limit);
      if (rows.length > limit) return { columns: written, rows: rows.slice(0, limit), complete: false };
    }
    await source.finish();
    return { columns: written, rows, complete: true };
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new SluiceError('CANCELLED', 'the preview was cancelled', { cause, stage: 'run' });
  } finally {
    signal.removeEventListener('abort', stop);
    await source.close();
  }
}

/** One row more than the limit is taken, to know whether there are more. */
function takeRows(batch: RowBatch, columnCount: number, rows: (string | null)[][], limit: number): void {
  const { bytes, rowBounds, rowCount } = batch;
  for (let row = 0; row < rowCount && rows.length <= limit; row++) {
    const fields: (string | null)[] = [];
    let at = rowBounds[2 * row]!;
    for (let column = 0; column < columnCount; column++) {
      const length = bytes.readInt32BE(at);
      at += 4;
      fields.push(length < 0 ? null : bytes.toString('utf8', at, at + length));
      at += Math.max(0, length);
    }
    rows.push(fields);
  }
}
