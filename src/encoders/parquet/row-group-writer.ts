import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { limitOf } from '../../system-errors.ts';
import type { ParquetOptions } from './parquet-options.ts';

export interface RowGroupRequest {
  readonly id: number;
  /** Arrow IPC; its memory moves to the worker, and back with the answer. */
  readonly stream: Uint8Array<ArrayBuffer>;
  readonly rowCount: number;
  readonly compression: ParquetOptions['compression'];
  readonly dictionary: boolean;
  /** Columns of the stream whose values hardly repeat. */
  readonly withoutDictionary: readonly string[];
  /** Columns whose least and greatest value would hide others: readers take NaN for neither, or for the greatest. */
  readonly withoutStatistics: readonly string[];
}

export type RowGroupAnswer =
  | { readonly id: number; readonly memory: ArrayBuffer; readonly file: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly memory: ArrayBuffer; readonly failure: string };

export interface WrittenRowGroup {
  /** A Parquet file of one row group. */
  readonly file: Buffer;
  /** The memory of the stream, for the next one. */
  readonly memory: ArrayBuffer;
}

/** A worker without work ends after this long. */
const LINGER_MS = 2_000;

interface Waiting {
  readonly resolve: (written: WrittenRowGroup) => void;
  readonly reject: (failure: Error) => void;
}

/**
 * Writes row groups on a thread of its own, in the order of the calls. The thread starts with the first row group,
 * serves every file of the process, keeps the process alive only while it has work, and ends by itself.
 */
class RowGroupWriter {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #linger: NodeJS.Timeout | undefined;

  write(request: Omit<RowGroupRequest, 'id'>): Promise<WrittenRowGroup> {
    clearTimeout(this.#linger);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ ...request, id } satisfies RowGroupRequest, [request.stream.buffer]);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./row-group-worker.js', import.meta.url), { execArgv: [] });
    worker.on('message', (answer: RowGroupAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('file' in answer) {
        const { buffer, byteOffset, length } = answer.file;
        waiting?.resolve({ file: Buffer.from(buffer, byteOffset, length), memory: answer.memory });
        if (this.#waiting.size === 0) this.#rest(worker);
      } else {
        waiting?.reject(failed(answer.failure));
        // What panicked within WebAssembly cannot be used again.
        this.#stop(worker, answer.failure);
      }
    });
    worker.on('error', error => this.#stop(worker, error));
    worker.on('exit', code => this.#stop(worker, `the thread ended with code ${code}`));
    return worker;
  }

  #rest(worker: Worker): void {
    worker.unref();
    this.#linger = setTimeout(() => this.#stop(worker, 'the thread ended'), LINGER_MS).unref();
  }

  #stop(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#linger);
    void worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(failed(cause));
    this.#waiting.clear();
  }
}

export const rowGroupWriter = new RowGroupWriter();

function failed(cause: unknown): SluiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = limitOf(cause) ?? 'INTERNAL';
  return new SluiceError(code, `writing a row group failed: ${why}`, { cause, stage: 'encoding' });
}
