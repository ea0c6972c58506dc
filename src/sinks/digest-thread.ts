import { Worker } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { limitOf } from '../system-errors.ts';

export interface Digests {
  readonly md5: Buffer;
  readonly sha256: Buffer;
}

/** Steps of one file come in order: updates, then `finish`, or `discard` at any time. */
export type DigestRequest = { readonly id: number; readonly file: number } & (
  | { readonly what: 'update'; readonly buffer: SharedArrayBuffer; readonly length: number }
  | { readonly what: 'finish' }
  | { readonly what: 'discard' }
);
type DigestAnswer = { readonly id: number; readonly md5?: Uint8Array; readonly sha256?: Uint8Array };

/** A thread without files ends after this long. */
const LINGER_MS = 2_000;

interface Waiting {
  readonly resolve: (answer: DigestAnswer) => void;
  readonly reject: (failure: Error) => void;
}

/**
 * Checksums on a thread of their own, since they take more time than everything else that
 * a byte goes through. Bytes are shared, not copied: they must not change until the
 * promise of their update resolves. The thread starts with the first file and ends by
 * itself; it keeps the process alive only while it owes an answer.
 */
class DigestThread {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #files = 0;
  #openFiles = 0;
  #linger: NodeJS.Timeout | undefined;

  open(): number {
    clearTimeout(this.#linger);
    this.#openFiles++;
    return this.#files++;
  }

  async update(file: number, buffer: SharedArrayBuffer, length: number): Promise<void> {
    await this.#ask({ id: this.#requests++, file, what: 'update', buffer, length });
  }

  async finish(file: number): Promise<Digests> {
    const { md5, sha256 } = await this.#ask({ id: this.#requests++, file, what: 'finish' });
    this.#closed();
    return { md5: Buffer.from(md5!), sha256: Buffer.from(sha256!) };
  }

  /** The file will not be finished. */
  discard(file: number): void {
    this.#worker?.postMessage({ id: this.#requests++, file, what: 'discard' } satisfies DigestRequest);
    this.#closed();
  }

  #ask(request: DigestRequest): Promise<DigestAnswer> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./digest-worker.js', import.meta.url), { execArgv: [] });
    worker.on('message', (answer: DigestAnswer) => {
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

export const digestThread = new DigestThread();
