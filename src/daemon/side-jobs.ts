import { SluiceError } from '../errors.ts';
import type { Job, JobResult } from './run-messages.ts';
import type { RunProcess } from './run-process.ts';

/** Checks and previews at the same time; more wait. */
const AT_ONCE = 2;

/** Jobs beside the runs: checks, previews, recovery. Each in a process of its own, as runs are, and few at once. */
export class SideJobs {
  readonly #start: (job: Job) => RunProcess;
  readonly #waiting: (() => void)[] = [];
  readonly #processes = new Set<RunProcess>();
  #running = 0;
  #isClosed = false;

  constructor(start: (job: Job) => RunProcess) {
    this.#start = start;
  }

  /** Rejects with what the job failed of; with CANCELLED when `signal` aborts. */
  async run<Kind extends Job['kind']>(
    job: Extract<Job, { kind: Kind }>,
    signal: AbortSignal,
  ): Promise<Extract<JobResult, { kind: Kind }>> {
    await this.#room(signal);
    try {
      if (signal.aborted) throw cancelledError();
      if (this.#isClosed) throw new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
      return await this.#carryOut(job, signal);
    } finally {
      // The room goes from hand to hand, so that nobody slips in between.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const process of this.#processes)
      process.kill(new SluiceError('SHUTTING_DOWN', 'the daemon is ending'));
    await Promise.all(Array.from(this.#processes, process => process.ended));
  }

  async #carryOut<Kind extends Job['kind']>(
    job: Extract<Job, { kind: Kind }>,
    signal: AbortSignal,
  ): Promise<Extract<JobResult, { kind: Kind }>> {
    const process = this.#start(job);
    const stop = (): void => process.kill(cancelledError());
    this.#processes.add(process);
    signal.addEventListener('abort', stop);
    try {
      const { result, error } = await process.ended;
      if (error) throw error;
      return result as Extract<JobResult, { kind: Kind }>;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#processes.delete(process);
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    if (this.#running < AT_ONCE) {
      this.#running++;
    } else {
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = (): void => {
          this.#waiting.splice(this.#waiting.indexOf(go), 1);
          reject(cancelledError());
        };
        signal.addEventListener('abort', leave, { once: true });
        this.#waiting.push(go);
      });
    }
  }
}

function cancelledError(): SluiceError {
  return new SluiceError('CANCELLED', 'whoever asked has gone away');
}
