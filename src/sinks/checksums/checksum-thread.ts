import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { limitOf } from '../../system-errors.ts';
import type { ChecksumName, Checksums } from '../sink.ts';
import { crc64Code } from './crc64-module.ts';

/**
 * Steps of one file come in order: `open`, updates, then `finish`, or `discard` at any
 * time.
 */
export type ChecksumRequest = { readonly id: number; readonly file: number } & (
  | { readonly what: 'open'; readonly names: readonly ChecksumName[] }
  | { readonly what: 'update'; readonly buffer: SharedArrayBuffer; readonly length: number }
  | { readonly what: 'finish' }
  | { readonly what: 'discard' }
);
interface ChecksumAnswer {
  readonly id: number;
  /** To an update: the CRC64 of its bytes alone. */
  readonly blockCrc64?: bigint;
  /** To the end. */
  readonly checksums?: Checksums;
}

/** A thread without files ends after this long. */
const LINGER_MS = 2_000;

interface Waiting {
  readonly resolve: (answer: ChecksumAnswer) => void;
  readonly reject: (failure: Error) => void;
}

/**
 * Checksums on a thread of their own, since they take more time than everything else that
 * a byte goes through. Bytes are shared, not copied: they must not change until the
 * promise of their update resolves. The thread starts with the first file and ends by
 * itself; it keeps the process alive only while it owes an answer.
 */
class ChecksumThread {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #files = 0;
  #openFiles = 0;
  #linger: NodeJS.Timeout | undefined;

  open(names: readonly ChecksumName[]): number {
    clearTimeout(this.#linger);
    this.#openFiles++;
    const file = this.#files++;
    this.#post({ id: this.#requests++, file, what: 'open', names });
    return file;
  }

  /** Returns the CRC64 of these bytes alone. */
  async update(file: number, buffer: SharedArrayBuffer, length: number): Promise<bigint> {
    const answer = await this.#ask({ id: this.#requests++, file, what: 'update', buffer, length });
    return answer.blockCrc64!;
  }

  async finish(file: number): Promise<Checksums> {
    const { checksums } = await this.#ask({ id: this.#requests++, file, what: 'finish' });
    this.#closed();
    return checksums!;
  }

  /** The file will not be finished. */
  discard(file: number): void {
    if (this.#worker !== undefined) this.#post({ id: this.#requests++, file, what: 'discard' });
    this.#closed();
  }

  #ask(request: ChecksumRequest): Promise<ChecksumAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#post(request).ref();
    });
  }

  #post(request: ChecksumRequest): Worker {
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
    return this.#worker;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./checksum-worker.js', import.meta.url), {
      execArgv: [],
      workerData: { code: crc64Code() },
    });
    worker.on('message', (answer: ChecksumAnswer) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on('error', error => this.#stop(worker, error));
    worker.on('exit', () => this.#stop(worker, undefined));
    return worker;
  }

  #closed(): void {
    if (--this.#openFiles > 0) return;
    this.#linger = setTimeout(() => this.#worker && this.#stop(this.#worker, undefined), LINGER_MS).unref();
  }

  #stop(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    void worker.terminate();
    const what = 'the thread that computes checksums ended';
    const limit = limitOf(cause);
    const failure = limit
      ? new SluiceError(limit, `${what}: ${(cause as Error).message}`, { cause })
      : new SluiceError(cause === undefined ? 'RUN_KILLED' : 'INTERNAL', what, { cause });
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}

export const checksumThread = new ChecksumThread();
