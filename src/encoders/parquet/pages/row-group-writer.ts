import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../../errors.ts';
import { LingeringThread } from '../../../lingering-thread.ts';
import { limitOf } from '../../../system-errors.ts';
import { lazyModule } from '../../../wasm-module.ts';
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

interface FailedRowGroup {
  readonly crates: readonly ArrayBuffer[];
  readonly failure: string;
}

const pagesModule = lazyModule(PARQUET_PAGES_CODE);

const thread = new LingeringThread<RowGroupRequest, WrittenRowGroup | FailedRowGroup>({
  start: () =>
    new Worker(new URL('./row-group-worker.js', import.meta.url), {
      execArgv: [],
      workerData: { code: pagesModule() },
    }),
  failure: cause => failed(cause ?? 'the thread ended'),
});

/** Writes a row group on a thread of its own, in the order of the calls. */
export async function writeRowGroup(request: RowGroupRequest): Promise<WrittenRowGroup> {
  const letGo = thread.use();
  try {
    const answer = await thread.ask(request, request.crates);
    if (!('failure' in answer)) return answer;
    // What failed within WebAssembly cannot be used again.
    thread.stop(answer.failure);
    throw failed(answer.failure);
  } finally {
    letGo();
  }
}

function failed(cause: unknown): SluiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = limitOf(cause) ?? 'INTERNAL';
  return new SluiceError(code, `writing a row group failed: ${why}`, { cause, stage: 'encoding' });
}
