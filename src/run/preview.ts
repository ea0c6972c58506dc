import { addAbortSignal } from 'node:stream';
import { createSource } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { type RowBatch, type ShownColumn, shownColumn } from '../row-batch.ts';
import type { RowSource } from '../sources/source.ts';
import { planMapping } from '../transforms/map-columns.ts';
import { type ShownTextOptions, shownText } from '../transforms/shown-text.ts';
import { bindNow } from './bind-now.ts';
import { closingOnAbort } from './close-on-abort.ts';
import { concealed } from './concealed.ts';
import { keyOf } from './planning/model-key.ts';

export interface PreviewRequest {
  readonly activation: ResolvedActivation;
  /** At most so many rows. */
  readonly rows: number;
  readonly signal: AbortSignal;
  /** Values of the query's parameters, as they were asked for. */
  readonly params?: Readonly<Record<string, string>> | undefined;
  /**
   * Takes secrets out of values, before they are cut: a part of one could not be known
   * any more.
   */
  readonly clean?: (text: string) => string;
}

export interface Preview {
  /** As files would hold them. */
  readonly columns: readonly ShownColumn[];
  /**
   * Texts as the source sent them; `null` for NULL. One of more than 4 KiB is cut, and
   * ends with `… (1048576 bytes)`, its size. Past 2 MiB in all no row follows the first.
   */
  readonly rows: readonly (readonly (string | null)[])[];
  /** How many values are cut. */
  readonly cutValues: number;
  /** Whether these are all the rows that there are. */
  readonly complete: boolean;
}

const MAX_VALUE_BYTES = 4 * 1024;
const MAX_BYTES = 2 * 1024 ** 2;

/**
 * The first mapped rows of an activation. The source is told to stop as soon as there are
 * enough; nothing is compared or written. Rejects with what the source or the mapping
 * says, or with CANCELLED.
 */
export async function previewActivation(request: PreviewRequest): Promise<Preview> {
  const { signal } = request;
  const activation = await bindNow(request.activation, request.params);
  const source = await createSource(activation);
  try {
    return await closingOnAbort(source, signal, () => firstRows(source, { ...request, activation }));
  } catch (cause) {
    if (!signal.aborted) throw concealed(cause, activation);
    throw new SluiceError('CANCELLED', 'the preview was cancelled', { cause, stage: 'run' });
  } finally {
    await source.close();
  }
}

async function firstRows(
  source: RowSource,
  { activation, rows: limit, signal, clean = text => text }: PreviewRequest,
): Promise<Preview> {
  const description = await source.describe();
  const { written } = planMapping({
    ...activation,
    modelName: activation.model.name,
    columns: description.columns,
    primaryKey: keyOf(activation, description),
  });
  signal.throwIfAborted();
  const shown = new ShownRows(written.length, limit, clean);
  // Leaving the loop destroys the stream, which makes the source give up the query.
  for await (const batch of addAbortSignal(signal, source.read(written))) {
    const hasRoom = shown.take(batch as RowBatch);
    if (!hasRoom) return { columns: written.map(shownColumn), ...shown.taken, complete: false };
  }
  await source.finish();
  return { columns: written.map(shownColumn), ...shown.taken, complete: true };
}

/**
 * As many rows as there is room for: a preview is to be looked at, and passes between
 * processes in one piece.
 */
class ShownRows {
  readonly #columnCount: number;
  readonly #limit: number;
  readonly #shownAs: ShownTextOptions;
  readonly #rows: (string | null)[][] = [];
  #cutValues = 0;
  #bytes = 0;

  constructor(columnCount: number, limit: number, clean: (text: string) => string) {
    this.#columnCount = columnCount;
    this.#limit = limit;
    this.#shownAs = { maxBytes: MAX_VALUE_BYTES, clean };
  }

  get taken(): Pick<Preview, 'rows' | 'cutValues'> {
    return { rows: this.#rows, cutValues: this.#cutValues };
  }

  /**
   * Whether there was room for all of them: one that has none is needed to know that
   * there are more.
   */
  take({ bytes, rowBounds, rowCount }: RowBatch): boolean {
    for (let row = 0; row < rowCount; row++) {
      if (this.#rows.length === this.#limit || !this.#takeRow(bytes, rowBounds[2 * row]!)) return false;
    }
    return true;
  }

  #takeRow(bytes: Buffer, start: number): boolean {
    const fields: (string | null)[] = [];
    let rowBytes = 0;
    let cutValues = 0;
    for (let column = 0, at = start; column < this.#columnCount; column++) {
      const length = bytes.readInt32BE(at);
      at += 4;
      fields.push(length < 0 ? null : shownText(bytes, at, length, this.#shownAs));
      if (length > MAX_VALUE_BYTES) cutValues++;
      // What surrounds a value counts too.
      rowBytes += 4 + Math.min(Math.max(0, length), MAX_VALUE_BYTES);
      at += Math.max(0, length);
    }
    // The first is shown whatever it takes: values are bounded, and so are columns.
    if (this.#rows.length > 0 && this.#bytes + rowBytes > MAX_BYTES) return false;
    this.#rows.push(fields);
    this.#bytes += rowBytes;
    this.#cutValues += cutValues;
    return true;
  }
}
