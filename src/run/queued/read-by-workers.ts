import { setTimeout as delay } from 'node:timers/promises';
import type { ResolvableConfig, ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import { failureOf, type QueuedSlice, SliceQueue, type SliceTask } from '../../queue/slice-queue.ts';
import { atOnce } from '../../sinks/at-once.ts';
import { type RunProgress, triedAgain } from '../run-progress.ts';
import type { PlanFiles } from '../sliced/plan-files.ts';
import { type SlicedPlan, stagedBytes } from '../sliced/sliced-plan.ts';

export interface WorkersRequest {
  readonly config: ResolvableConfig;
  readonly activation: ResolvedActivation;
  readonly files: PlanFiles;
  readonly plan: SlicedPlan;
  readonly signal: AbortSignal;
  readonly isCancelled: () => boolean;
  readonly observe?: ((progress: () => RunProgress) => void) | undefined;
}

const LOOK_EVERY_MS = 1_000;
/** How long the database of the queue may be away while workers read. */
const PATIENCE_MS = 5 * 60_000;

/**
 * Has workers read all slices of a plan that have no result yet. Rejects as soon as one
 * has failed for good; the others are called off then. Where the signal aborts, workers
 * go on unless the run is cancelled.
 */
export async function readByWorkers(request: WorkersRequest): Promise<void> {
  const { config, files, plan, signal, isCancelled } = request;
  const results = await atOnce([...plan.slices.keys()], slice =>
    // One that is damaged is made again.
    files.readResult(plan, slice).catch(damaged),
  );
  const reading = new SlicesInQueue(request, results);
  if (reading.isDone) return;
  // What goes wrong beside what is asked for is seen when it is asked for again.
  const queue = await SliceQueue.open({ url: config.queue!.url, onError: () => {} });
  try {
    await queue.cancelOthers({ activation: plan.activation, run: plan.run });
    await reading.begin(queue);
    let awaySince: number | undefined;
    while (!reading.isDone) {
      await delay(LOOK_EVERY_MS, undefined, { signal });
      try {
        await reading.look(queue);
        awaySince = undefined;
        reading.answers();
      } catch (error) {
        const isAway = error instanceof SluiceError && error.code === 'QUEUE_CONNECT_FAILED';
        awaySince ??= Date.now();
        const until = awaySince + PATIENCE_MS;
        if (!isAway || Date.now() > until) throw error;
        reading.waits(error.message, new Date(until));
      }
    }
  } catch (error) {
    // Slices of a run that was left alone go on: another attempt of it takes them up.
    if (!signal.aborted || isCancelled()) await reading.callOff(queue).catch(() => {});
    throw error;
  } finally {
    await queue.close();
  }
}

function damaged(error: unknown): undefined {
  if (error instanceof SluiceError && error.code === 'STATE_DAMAGED') return undefined;
  throw error;
}

type Result = Awaited<ReturnType<PlanFiles['readResult']>>;

/** The slices of one run, as far as they are known to be read. */
class SlicesInQueue {
  readonly #plan: SlicedPlan;
  readonly #source: string;
  /** Rows, bytes and worker of those that are read. */
  readonly #done = new Map<number, { rows: number; bytes: number; worker: string | undefined }>();
  #running = 0;
  #waiting: string | undefined;

  constructor({ plan, activation, observe }: WorkersRequest, results: readonly Result[]) {
    this.#plan = plan;
    this.#source = activation.source.name;
    for (const [slice, result] of results.entries()) {
      if (result === undefined) continue;
      const { rows, worker } = result;
      this.#done.set(slice, { rows, bytes: stagedBytes(result), worker });
    }
    observe?.(() => this.#progress);
  }

  get isDone(): boolean {
    return this.#open.length === 0;
  }

  /** Puts in what is to be read, anew where it ended otherwise in an earlier attempt. */
  async begin(queue: SliceQueue): Promise<void> {
    const open = new Set(this.#open);
    const ended = (await queue.look(this.#plan.run)).filter(
      ({ slice, state }) =>
        open.has(slice) && (state === 'failed' || state === 'cancelled' || state === 'completed'),
    );
    await queue.remove(
      this.#plan.run,
      ended.map(({ slice }) => slice),
    );
    await this.#submit(queue, [...open]);
  }

  async look(queue: SliceQueue): Promise<void> {
    const queued = await queue.look(this.#plan.run);
    this.#running = queued.filter(({ state }) => state === 'active').length;
    for (const { slice, state, outcome } of queued) {
      if (state !== 'completed' || this.#done.has(slice)) continue;
      const read = outcome?.error === undefined ? outcome : undefined;
      this.#done.set(slice, { rows: read?.rows ?? 0, bytes: read?.bytes ?? 0, worker: read?.worker });
    }
    const failed = queued.find(({ slice, state }) => state === 'failed' && !this.#done.has(slice));
    if (failed) throw this.#failureOf(failed);
    if (queued.some(({ slice, state }) => state === 'cancelled' && !this.#done.has(slice))) {
      const message = `slices of run ${this.#plan.run} were called off, since another run of ${this.#plan.activation} began`;
      throw new SluiceError('STATE_STALE', message, {
        stage: 'run',
        hint: 'let one daemon make the runs of an activation',
      });
    }
    // As where somebody has emptied the queue.
    const known = new Set(queued.map(({ slice }) => slice));
    await this.#submit(
      queue,
      this.#open.filter(slice => !known.has(slice)),
    );
  }

  async callOff(queue: SliceQueue): Promise<void> {
    await queue.cancel(this.#plan.run, this.#open);
  }

  waits(reason: string, until: Date): void {
    this.#waiting = triedAgain(reason, until);
  }

  answers(): void {
    this.#waiting = undefined;
  }

  get #open(): number[] {
    return [...this.#plan.slices.keys()].filter(slice => !this.#done.has(slice));
  }

  async #submit(queue: SliceQueue, slices: readonly number[]): Promise<void> {
    if (slices.length === 0) return;
    const { run, activation } = this.#plan;
    await queue.submit(
      slices.map((slice): SliceTask => ({ run, activation, slice })),
      this.#source,
    );
  }

  #failureOf(failed: QueuedSlice): SluiceError {
    const { slice, retries } = failed;
    const error = failureOf(failed);
    if (error !== undefined) return error;
    const message = `slice ${slice} of run ${this.#plan.run} was begun ${retries + 1} times, and each worker that read it was lost`;
    return new SluiceError('RUN_KILLED', message, {
      stage: 'run',
      hint: 'look at the logs and the memory of the workers, then run again',
    });
  }

  get #progress(): RunProgress {
    const done = [...this.#done.values()];
    const rows = done.reduce((sum, each) => sum + each.rows, 0);
    const workers = new Set(done.flatMap(({ worker }) => (worker === undefined ? [] : [worker])));
    return {
      phase: 'reading',
      rowsRead: rows,
      rowsWritten: rows,
      bytesStaged: done.reduce((sum, { bytes }) => sum + bytes, 0),
      blocksStaged: 0,
      part: 1,
      slices: {
        count: this.#plan.slices.length,
        done: done.length,
        running: this.#running,
        workers: workers.size,
      },
      ...(this.#waiting !== undefined && { waiting: this.#waiting }),
    };
  }
}
