import type { DaemonClock } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import type { StartProcess } from './process-starter.ts';
import type { Job, JobResult } from './run-messages.ts';
import type { RunProcess } from './run-process.ts';

/**
 * What a job is for. Each has room of its own, so that sources which hang keep nobody
 * waiting but their own kind.
 */
export type Room = 'recovery' | 'check' | 'probe';

/** Jobs of a room at the same time; more wait. */
const AT_ONCE = 2;

export interface SideJobOptions {
  readonly room: Room;
  readonly signal?: AbortSignal;
  /** How long the job itself may take, from when it has room. */
  readonly timeoutMs?: number;
}

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Jobs beside the runs: checks, previews, recovery. Each in a process of its own, as runs
 * are, and few at once.
 */
export class SideJobs {
  readonly #start: StartProcess;
  readonly #clock: DaemonClock;
  readonly #processes = new Set<RunProcess>();
  readonly #turns: Readonly<Record<Room, Turns>> = {
    recovery: { running: 0, waiting: [] },
    check: { running: 0, waiting: [] },
    probe: { running: 0, waiting: [] },
  };
  #isClosed = false;

  constructor(start: StartProcess, clock: DaemonClock) {
    this.#start = start;
    this.#clock = clock;
  }

  /**
   * Rejects with what the job failed of; where `signal` aborts, with CANCELLED, or with
   * TOO_MANY_REQUESTS while the job still waited for room; with SOURCE_TIMEOUT after
   * `timeoutMs`.
   */
  async run<Kind extends Job['kind']>(
    job: Extract<Job, { kind: Kind }>,
    { room, signal = new AbortController().signal, timeoutMs }: SideJobOptions,
  ): Promise<Extract<JobResult, { kind: Kind }>> {
    const turns = this.#turns[room];
    await takeTurn(turns, signal);
    try {
      if (signal.aborted) throw cancelledError();
      if (this.#isClosed) throw new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
      return await this.#carryOut(job, signal, timeoutMs);
    } finally {
      // The turn goes from hand to hand, so that nobody slips in between.
      const next = turns.waiting.shift();
      if (next) next();
      else turns.running--;
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
    timeoutMs: number | undefined,
  ): Promise<Extract<JobResult, { kind: Kind }>> {
    const process = this.#start(job);
    const stop = (): void => process.kill(cancelledError());
    this.#processes.add(process);
    signal.addEventListener('abort', stop);
    const callOff =
      timeoutMs === undefined
        ? undefined
        : this.#clock.after(timeoutMs, () => process.kill(timeoutError(timeoutMs)));
    try {
      const { result, error } = await process.ended;
      if (error) throw error;
      return result as Extract<JobResult, { kind: Kind }>;
    } finally {
      callOff?.();
      signal.removeEventListener('abort', stop);
      this.#processes.delete(process);
    }
  }
}

async function takeTurn(turns: Turns, signal: AbortSignal): Promise<void> {
  if (turns.running < AT_ONCE) {
    turns.running++;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const go = (): void => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = (): void => {
      turns.waiting.splice(turns.waiting.indexOf(go), 1);
      reject(new SluiceError('TOO_MANY_REQUESTS', `${AT_ONCE} others like it were under way all the time`));
    };
    signal.addEventListener('abort', leave, { once: true });
    turns.waiting.push(go);
  });
}

function cancelledError(): SluiceError {
  return new SluiceError('CANCELLED', 'whoever asked has gone away');
}

function timeoutError(timeoutMs: number): SluiceError {
  const message = `source and destination gave no whole answer within ${timeoutMs / 1000} s`;
  return new SluiceError('SOURCE_TIMEOUT', message, { stage: 'source' });
}
