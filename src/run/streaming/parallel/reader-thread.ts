import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../../errors.ts';
import { fromPlainError } from '../../../plain-error.ts';
import type { RowBatch } from '../../../row-batch.ts';
import type { Slice } from '../../../sources/source.ts';
import { limitOf } from '../../../system-errors.ts';
import type { FromReader, ReaderWork, SentRows, ToReader } from './reader-messages.ts';

/** A thread that was told to stop and does not end is ended. */
const LINGER_MS = 5_000;

/** Uncompiled sources need the loaders that this thread was started with. */
const IS_SOURCE = import.meta.url.endsWith('.ts');
const PROGRAM = new URL(`./reader-thread-entry.${IS_SOURCE ? 'ts' : 'js'}`, import.meta.url);

export interface ReaderEvents {
  /** It has read its slice, if it had one: the next one, or none. */
  onNext(): Slice | undefined;
  onRows(batch: RowBatch): void;
  onFinished(finished: Extract<FromReader, { what: 'finished' }>): void;
  /** At most once. */
  onFailed(error: SluiceError): void;
}

/** A thread that reads slices, on a connection of its own. */
export class ReaderThread {
  /** Resolves when the thread has ended, and its connection with it. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #events: ReaderEvents;
  #isOver = false;
  #hasEnded = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(work: ReaderWork, events: ReaderEvents) {
    this.#events = events;
    this.#worker = new Worker(PROGRAM, { workerData: work, ...(!IS_SOURCE && { execArgv: [] }) });
    this.#worker.on('message', (message: FromReader) => this.#hear(message));
    this.#worker.on('error', cause => this.#fail(threadError(cause)));
    this.ended = new Promise(resolve => {
      this.#worker.once('exit', () => {
        this.#hasEnded = true;
        clearTimeout(this.#linger);
        this.#fail(threadError(undefined));
        resolve();
      });
    });
  }

  /** Gives up what it does. */
  stop(): void {
    if (this.#hasEnded) return;
    this.#isOver = true;
    this.#tell({ what: 'stop' });
    this.#linger ??= setTimeout(() => void this.#worker.terminate(), LINGER_MS);
  }

  #hear(message: FromReader): void {
    // What was on its way when it was stopped.
    if (this.#isOver) return;
    switch (message.what) {
      case 'next':
        this.#tell({ what: 'slice', slice: this.#events.onNext() });
        return;
      case 'rows':
        this.#events.onRows(this.#batchOf(message));
        return;
      case 'finished':
        this.#isOver = true;
        this.#events.onFinished(message);
        return;
      case 'failed':
        this.#fail(fromPlainError(message.error));
        return;
      default:
        message satisfies never;
    }
  }

  #batchOf({ memory, rowCount, rowBounds, isEncoded }: SentRows): RowBatch {
    return {
      bytes: Buffer.from(memory),
      rowCount,
      rowBounds,
      changes: undefined,
      ...(isEncoded && { isEncoded }),
      release: () => this.#tell({ what: 'taken', memory }, [memory]),
    };
  }

  #tell(message: ToReader, memory: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, memory);
  }

  #fail(error: SluiceError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onFailed(error);
  }
}

function threadError(cause: unknown): SluiceError {
  const what = 'a thread that reads the source ended';
  const limit = limitOf(cause);
  if (limit)
    return new SluiceError(limit, `${what}: ${(cause as Error).message}`, { cause, stage: 'source' });
  return new SluiceError(cause === undefined ? 'RUN_KILLED' : 'INTERNAL', what, { cause, stage: 'source' });
}
