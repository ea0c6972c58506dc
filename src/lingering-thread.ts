import type { Transferable, Worker } from 'node:worker_threads';

/** A thread that nobody needs ends after this long. */
const LINGER_MS = 2_000;

export interface ThreadOptions {
  start(): Worker;
  /** What waiting requests fail with; without a cause the thread just ended. */
  failure(cause: unknown): Error;
}

/** A request as the thread gets it; its answer has the same id. */
export type Asking<Request> = Request & { readonly id: number };

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (failure: Error) => void;
}

/**
 * A thread that serves the whole process. It starts with the first request, takes them in
 * their order, keeps the process alive only while it owes an answer, and ends by itself.
 */
export class LingeringThread<Request extends object, Answer extends object> {
  readonly #options: ThreadOptions;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting<Answer>>();
  #requests = 0;
  #users = 0;
  #linger: NodeJS.Timeout | undefined;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  /** Keeps the thread, and with it what it remembers, until the result is called. */
  use(): () => void {
    clearTimeout(this.#linger);
    this.#users++;
    return () => {
      if (--this.#users === 0) this.#linger = setTimeout(() => this.stop(undefined), LINGER_MS).unref();
    };
  }

  /** To be called while it is in use. */
  ask(request: Request, transfer: readonly Transferable[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#requests, { resolve, reject });
      this.tell(request, transfer).ref();
    });
  }

  /** As `ask`, where there is no answer. */
  tell(request: Request, transfer: readonly Transferable[] = []): Worker {
    this.#worker ??= this.#start();
    const asking: Asking<Request> = { ...request, id: this.#requests++ };
    this.#worker.postMessage(asking, [...transfer]);
    return this.#worker;
  }

  /** Ends the thread; who waits for an answer fails. The next request starts another. */
  stop(cause: unknown): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#options.failure(cause));
    this.#waiting.clear();
  }

  #start(): Worker {
    const worker = this.#options.start();
    const ended = (cause: unknown): void => {
      if (this.#worker === worker) this.stop(cause);
    };
    worker.on('message', (answer: Answer & { readonly id: number }) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on('error', ended);
    worker.on('exit', () => ended(undefined));
    // Until it owes an answer.
    worker.unref();
    return worker;
  }
}
