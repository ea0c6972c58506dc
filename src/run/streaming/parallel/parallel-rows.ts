import { Readable } from 'node:stream';
import type { ResolvedActivation } from '../../../config/activation.ts';
import type { SluiceError } from '../../../errors.ts';
import type { RowBatch } from '../../../row-batch.ts';
import type { EndOfData, RowSource, Slice } from '../../../sources/source.ts';
import type { MappingPlan } from '../../../transforms/map-columns.ts';
import type { DividedSource } from '../../planning/readers.ts';
import type { ReaderWork } from './reader-messages.ts';
import { ReaderThread } from './reader-thread.ts';

/**
 * Rows that a reader has sent and that wait for their turn: more than a slice usually
 * has, so that a reader goes on with its next slice meanwhile.
 */
const AHEAD_BYTES = 32 * 1024 * 1024;

export interface ParallelRowsOptions {
  readonly activation: Pick<ResolvedActivation, 'source' | 'format'>;
  readonly source: RowSource;
  readonly divided: DividedSource;
  readonly mapping: MappingPlan;
  /** Whether readers encode the rows they read. */
  readonly encodes: boolean;
}

interface SliceRows {
  readonly batches: RowBatch[];
  isRead: boolean;
}

/**
 * The rows of a source that is read by several threads, slice by slice in the order of
 * the slices: those of one reader. Where one thread fails, or the source loses the
 * snapshot, all are stopped.
 */
export class ParallelRows extends Readable {
  readonly #options: ParallelRowsOptions;
  readonly #slices: readonly Slice[];
  readonly #threads: readonly ReaderThread[];
  /** Slices that were handed out, and not sent on whole, by their index. */
  readonly #rows = new Map<number, SliceRows>();
  #handedOut = 0;
  /** The slice whose rows come next. */
  #sending = 0;
  #isWanted = false;
  #unfinished: number;
  #rowCount = 0;
  readonly #coerced = new Map<string, number>();
  #failure: SluiceError | undefined;
  #onSettled: () => void = () => {};

  constructor(options: ParallelRowsOptions) {
    super({ objectMode: true, highWaterMark: 2 });
    const { activation, source, divided, mapping, encodes } = options;
    this.#options = options;
    this.#slices = divided.slices;
    this.#unfinished = divided.readers;
    const work: ReaderWork = {
      source: activation.source.type,
      readerOptions: divided.readerOptions,
      fields: mapping.fields,
      written: mapping.written,
      format: encodes ? activation.format : undefined,
      aheadBytes: AHEAD_BYTES,
    };
    this.#threads = Array.from({ length: divided.readers }, () => this.#startThread(work));
    source.slices!.lost.catch((error: SluiceError) => this.#fail(error));
  }

  /**
   * How many values were written as something else, by the name of their column, in the
   * order of the columns.
   */
  get coerced(): ReadonlyMap<string, number> {
    const names = this.#options.mapping.written.map(({ name }) => name);
    return new Map(
      names.flatMap(name => (this.#coerced.has(name) ? [[name, this.#coerced.get(name)!] as const] : [])),
    );
  }

  override _read(): void {
    this.#isWanted = true;
    this.#send();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.readableEnded) for (const thread of this.#threads) thread.stop();
    done(error);
  }

  /** Proves that the slices were whole, and of one snapshot; see `RowSource`. */
  async finish(): Promise<EndOfData> {
    while (this.#unfinished > 0 && !this.#failure)
      await new Promise<void>(resolve => (this.#onSettled = resolve));
    if (this.#failure) throw this.#failure;
    await this.#options.source.finish();
    return { rows: this.#rowCount };
  }

  /** Stops what has not ended. Never rejects. */
  async close(): Promise<void> {
    for (const thread of this.#threads) thread.stop();
    await Promise.all(this.#threads.map(({ ended }) => ended));
  }

  #startThread(work: ReaderWork): ReaderThread {
    let own: SliceRows = { batches: [], isRead: true };
    return new ReaderThread(work, {
      onNext: () => {
        own.isRead = true;
        const index = this.#handedOut;
        const slice = this.#slices[index];
        if (slice !== undefined) {
          own = { batches: [], isRead: false };
          this.#rows.set(index, own);
          this.#handedOut++;
        }
        this.#send();
        return slice;
      },
      onRows: batch => {
        own.batches.push(batch);
        this.#send();
      },
      onFinished: ({ rows, coerced }) => {
        this.#unfinished--;
        this.#rowCount += rows;
        for (const [column, count] of coerced)
          this.#coerced.set(column, (this.#coerced.get(column) ?? 0) + count);
        this.#onSettled();
      },
      onFailed: error => this.#fail(error),
    });
  }

  #send(): void {
    while (this.#isWanted) {
      const next = this.#rows.get(this.#sending);
      const batch = next?.batches.shift();
      if (batch !== undefined) {
        this.#isWanted = this.push(batch);
      } else if (next?.isRead) {
        this.#rows.delete(this.#sending++);
        if (this.#sending < this.#slices.length) continue;
        this.#isWanted = false;
        this.push(null);
      } else {
        return;
      }
    }
  }

  #fail(error: SluiceError): void {
    this.#failure ??= error;
    this.destroy(this.#failure);
    this.#onSettled();
  }
}
