import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../../errors.ts';
import { limitOf } from '../../../system-errors.ts';
import type { FilledPage } from '../fill/column-filler.ts';
import type { ParquetOptions } from '../parquet-options.ts';
import { PARQUET_PAGES_CODE } from './parquet-pages-code.ts';

export interface RequestedColumn {
  /** Bytes of a value; 0 where values have lengths of their own. */
  readonly width: number;
  /** Whether repeated values are to be written once, if that makes the column smaller. */
  readonly dictionary: boolean;
  readonly pages: readonly FilledPage[];
}

export interface RowGroupRequest {
  readonly id: number;
  readonly columns: readonly RequestedColumn[];
  /** What the pages are in; they move to the worker, and back with the answer. */
  readonly crates: readonly ArrayBuffer[];
  readonly compression: ParquetOptions['compression'];
}

/** The pages of a column. */
export interface WrittenChunk {
  /** From the first byte of the row group. */
  readonly offset: number;
  /** What the dictionary takes, which comes first; 0 where there is none. */
  readonly dictionaryBytes: number;
  readonly storedBytes: number;
  readonly uncompressedBytes: number;
  /** Without the dictionary. */
  readonly pageCount: number;
}

export interface WrittenRowGroup {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly chunks: readonly WrittenChunk[];
  /** Those of the request, for the next one. */
  readonly crates: readonly ArrayBuffer[];
}

export type RowGroupAnswer =
  | ({ readonly id: number } & WrittenRowGroup)
  | { readonly id: number; readonly crates: readonly ArrayBuffer[]; readonly failure: string };

/** A worker without work ends after this long. */
const LINGER_MS = 2_000;

interface Waiting {
  readonly resolve: (written: WrittenRowGroup) => void;
  readonly reject: (failure: Error) => void;
}

let compiled: WebAssembly.Module | undefined;

/**
 * Writes row groups on a thread of its own, in the order of the calls. The thread starts
 * with the first row group, serves every file of the process, keeps the process alive
 * only while it has work, and ends by itself.
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
      worker.postMessage({ ...request, id } satisfies RowGroupRequest, [...request.crates]);
    });
  }

  #start(): Worker {
    compiled ??= new WebAssembly.Module(Buffer.from(PARQUET_PAGES_CODE, 'base64'));
    const worker = new Worker(new URL('./row-group-worker.js', import.meta.url), {
      execArgv: [],
      workerData: { code: compiled },
    });
    worker.on('message', (answer: RowGroupAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('failure' in answer) {
        waiting?.reject(failed(answer.failure));
        // What failed within WebAssembly cannot be used again.
        this.#stop(worker, answer.failure);
        return;
      }
      waiting?.resolve(answer);
      if (this.#waiting.size === 0) this.#rest(worker);
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
