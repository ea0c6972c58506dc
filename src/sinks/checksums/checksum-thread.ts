import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { type Asking, LingeringThread } from '../../lingering-thread.ts';
import { limitOf } from '../../system-errors.ts';
import type { ChecksumName, Checksums } from '../sink.ts';
import { crc64Code } from './crc64-module.ts';

/**
 * Steps of one file come in order: `open`, updates, then `finish`, or `discard` at any
 * time.
 */
type Step = { readonly file: number } & (
  | { readonly what: 'open'; readonly names: readonly ChecksumName[] }
  | { readonly what: 'update'; readonly buffer: SharedArrayBuffer; readonly length: number }
  | { readonly what: 'finish' }
  | { readonly what: 'discard' }
);

interface Sums {
  /** To an update: the CRC64 of its bytes alone. */
  readonly blockCrc64?: bigint;
  /** To the end. */
  readonly checksums?: Checksums;
}

export type ChecksumRequest = Asking<Step>;

const thread = new LingeringThread<Step, Sums>({
  start: () =>
    new Worker(new URL('./checksum-worker.js', import.meta.url), {
      execArgv: [],
      workerData: { code: crc64Code() },
    }),
  failure: cause => {
    const what = 'the thread that computes checksums ended';
    const limit = limitOf(cause);
    if (limit) return new SluiceError(limit, `${what}: ${(cause as Error).message}`, { cause });
    return new SluiceError(cause === undefined ? 'RUN_KILLED' : 'INTERNAL', what, { cause });
  },
});

let files = 0;

/**
 * Checksums of one file on a thread of their own, since they take more time than
 * everything else that a byte goes through. Bytes are shared, not copied: they must not
 * change until the promise of their update resolves.
 */
export class ThreadChecksums {
  readonly #file = files++;
  readonly #letGo = thread.use();

  constructor(names: readonly ChecksumName[]) {
    thread.tell({ file: this.#file, what: 'open', names });
  }

  /** Returns the CRC64 of these bytes alone. */
  async update(buffer: SharedArrayBuffer, length: number): Promise<bigint> {
    return (await thread.ask({ file: this.#file, what: 'update', buffer, length })).blockCrc64!;
  }

  async finish(): Promise<Checksums> {
    try {
      return (await thread.ask({ file: this.#file, what: 'finish' })).checksums!;
    } finally {
      this.#letGo();
    }
  }

  /** The file will not be finished. */
  discard(): void {
    thread.tell({ file: this.#file, what: 'discard' });
    this.#letGo();
  }
}
