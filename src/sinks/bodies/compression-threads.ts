import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { type Asking, LingeringThread } from '../../lingering-thread.ts';
import { limitOf } from '../../system-errors.ts';

/** What a thread answers where it could not compress. */
type Failure = { readonly failure: string };

/** A request as a thread of `CompressionThreads` gets it. */
export type CompressionRequest<Request> = Asking<Request>;

export interface CompressionThreadsOptions {
  /** What is compressed with, for messages. */
  readonly name: string;
  start(): Worker;
}

/** Threads that compress, one piece each at a time; they end when nobody needs them. */
export class CompressionThreads<Request extends object, Result extends object> {
  readonly #threads: readonly LingeringThread<Request, Result | Failure>[];
  readonly #failed: (cause: unknown) => SluiceError;
  #next = 0;

  constructor({ name, start }: CompressionThreadsOptions) {
    this.#failed = cause => failed(name, cause);
    this.#threads = Array.from(
      { length: Math.min(3, availableParallelism()) },
      () => new LingeringThread<Request, Result | Failure>({ start, failure: this.#failed }),
    );
  }

  async compress(request: Request): Promise<Result> {
    const thread = this.#threads[this.#next++ % this.#threads.length]!;
    const letGo = thread.use();
    try {
      const answer = await thread.ask(request);
      if (!('failure' in answer)) return answer;
      // What failed within WebAssembly cannot be used again.
      thread.stop(answer.failure);
      throw this.#failed(answer.failure);
    } finally {
      letGo();
    }
  }
}

function failed(name: string, cause: unknown = 'the thread ended'): SluiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = limitOf(cause) ?? 'INTERNAL';
  return new SluiceError(code, `compressing with ${name} failed: ${why}`, { cause, stage: 'encoding' });
}
