import type { DaemonClock } from '../../clock.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { runMemoryBytes } from '../../config/machine-memory.ts';
import { SluiceError } from '../../errors.ts';
import { toPlainError } from '../../plain-error.ts';
import { type SliceOutcome, SliceQueue, type TaskToRead, workerName } from '../../queue/slice-queue.ts';
import type { Log } from '../parts.ts';
import { RunProcess, type RunProgram } from '../processes/run-process.ts';

export interface SliceWorkerOptions {
  readonly loaded: LoadedConfig;
  /** Slices at one time. */
  readonly atOnce: number;
  readonly program: RunProgram;
  readonly clock: DaemonClock;
  readonly log: Log;
}

/** How long a slice may take that was told to stop. */
const STOP_PATIENCE_MS = 5_000;
/** A database that is away is told of once in so long. */
const TOLD_EVERY_MS = 30_000;

/**
 * Reads slices that the queue has, each in a process of its own, so that signs of life
 * go on whatever a slice does. Needs no data directory.
 */
export class SliceWorker {
  readonly #options: SliceWorkerOptions;
  readonly #name = workerName();
  readonly #queue: SliceQueue;
  readonly #reading = new Set<RunProcess>();
  #isForcing = false;

  private constructor(options: SliceWorkerOptions, queue: SliceQueue) {
    this.#options = options;
    this.#queue = queue;
  }

  /**
   * Rejects with USAGE where the configuration has no queue, and as `SliceQueue.open`.
   */
  static async start(options: SliceWorkerOptions): Promise<SliceWorker> {
    const { loaded, atOnce, log, clock } = options;
    const { queue: config } = loaded.config;
    if (config === undefined) {
      throw new SluiceError('USAGE', 'the configuration has no queue to take slices from', {
        hint: 'add `queue: { url: … }` and `state`, the same as where `sluice serve` runs',
      });
    }
    let toldAt = Number.NEGATIVE_INFINITY;
    const onError = (error: SluiceError): void => {
      const now = clock.now().getTime();
      if (now - toldAt < TOLD_EVERY_MS) return;
      toldAt = now;
      log.warn({ code: error.code }, `${error.message}; it is tried again`);
    };
    const worker = new SliceWorker(options, await SliceQueue.open({ url: config.url, onError }));
    await worker.#queue.work({ atOnce, perSource: config.slicesPerSource }, task => worker.#read(task));
    log.info({ worker: worker.#name, slices: atOnce }, 'the worker takes slices');
    return worker;
  }

  /**
   * Takes no more slices. Those under way may go on for the grace period; what is not
   * done then goes back to the queue.
   */
  async stop(): Promise<void> {
    const { loaded, clock } = this.#options;
    const { gracePeriod } = loaded.config.daemon;
    const callOff = clock.after(gracePeriod, () => {
      this.#isForcing = true;
      for (const process of this.#reading) process.stop(STOP_PATIENCE_MS, 'ending');
    });
    await this.#queue.close(gracePeriod + 2 * STOP_PATIENCE_MS);
    callOff();
  }

  async #read({ run, activation, slice, signal }: TaskToRead): Promise<SliceOutcome> {
    const worker = this.#name;
    const { log, program, clock, loaded } = this.#options;
    const fields = { run, activation, slice };
    try {
      const { daemon } = loaded.config;
      const process = new RunProcess({
        job: { kind: 'slice', activation, run, slice, worker },
        snapshot: loaded.snapshotOf(activation),
        program,
        clock,
        log,
        memoryBytes: runMemoryBytes(daemon),
        heartbeatTimeoutMs: daemon.runHeartbeatTimeout,
      });
      this.#reading.add(process);
      log.info({ ...fields, pid: process.pid }, 'slice begins');
      const callOff = (): void => process.stop(STOP_PATIENCE_MS, 'cancelled');
      if (signal.aborted || this.#isForcing) callOff();
      signal.addEventListener('abort', callOff, { once: true });
      const { result, error } = await process.ended;
      signal.removeEventListener('abort', callOff);
      this.#reading.delete(process);
      if (result?.kind === 'slice') {
        const { rows, bytes } = result;
        log.info({ ...fields, rows, bytes }, 'slice is read');
        return { worker, rows, bytes };
      }
      if (signal.aborted) {
        log.info(fields, 'slice was called off, or is read by somebody else');
        // Nobody hears it.
        return { worker, error: toPlainError(givenBack('the slice was called off', error)) };
      }
      throw this.#isForcing ? givenBack('the worker ended while it read the slice', error) : error;
    } catch (cause) {
      const error = toPlainError(cause);
      const next = error.retryable ? 'it is tried again' : 'the run fails';
      log.warn({ ...fields, code: error.code }, `slice failed: ${error.message}; ${next}`);
      return { worker, error };
    }
  }
}

/** Somebody else may read it. */
function givenBack(message: string, cause: unknown): SluiceError {
  return new SluiceError('SHUTTING_DOWN', message, { cause });
}
