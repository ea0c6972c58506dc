import type { LiveRun } from './live-run.ts';

interface Lane {
  /** In the order in which they came. */
  readonly waiting: LiveRun[];
  running: LiveRun | undefined;
  /** Something else than a run has the activation. */
  taken: boolean;
  /** Lanes are served in this order. */
  turn: number;
}

/**
 * Which run comes next. Each activation has a lane of its own with one run at a time,
 * first come first served; a lane that has had its turn goes behind all others that wait,
 * so that one activation with many requests does not keep the rest waiting.
 */
export class RunQueue {
  readonly #lanes = new Map<string, Lane>();
  readonly #byRun = new Map<string, LiveRun>();
  /** By activation, then by idempotency key. */
  readonly #byKey = new Map<string, Map<string, LiveRun>>();
  #turns = 0;
  #running = 0;

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#byRun.size - this.#running;
  }

  get runs(): readonly LiveRun[] {
    return [...this.#byRun.values()];
  }

  find(run: string): LiveRun | undefined {
    return this.#byRun.get(run);
  }

  findByKey(activation: string, idempotencyKey: string): LiveRun | undefined {
    return this.#byKey.get(activation)?.get(idempotencyKey);
  }

  waitingOf(activation: string): readonly LiveRun[] {
    return this.#lanes.get(activation)?.waiting ?? [];
  }

  runningOf(activation: string): LiveRun | undefined {
    return this.#lanes.get(activation)?.running;
  }

  isBusy(activation: string): boolean {
    const lane = this.#lanes.get(activation);
    return lane !== undefined && (lane.running !== undefined || lane.waiting.length > 0);
  }

  add(run: LiveRun): void {
    const lane = this.#laneOf(run.record.activation);
    if (lane.waiting.length === 0 && lane.running === undefined) lane.turn = ++this.#turns;
    lane.waiting.push(run);
    const { run: id, activation, idempotencyKey } = run.record;
    this.#byRun.set(id, run);
    if (idempotencyKey === undefined) return;
    const keys = this.#byKey.get(activation) ?? new Map<string, LiveRun>();
    this.#byKey.set(activation, keys.set(idempotencyKey, run));
  }

  /**
   * Takes the run whose turn it is. One that was cancelled is to end, whatever holds its
   * activation.
   */
  next(isHeld: (activation: string) => boolean): LiveRun | undefined {
    let best: [string, Lane] | undefined;
    for (const [name, lane] of this.#lanes) {
      const [head] = lane.waiting;
      if (
        head === undefined ||
        head.stage.at !== 'queued' ||
        lane.running ||
        lane.taken ||
        (isHeld(name) && !head.cancelled)
      )
        continue;
      if (best === undefined || lane.turn < best[1].turn) best = [name, lane];
    }
    if (best === undefined) return undefined;
    const [, lane] = best;
    lane.running = lane.waiting.shift()!;
    this.#running++;
    return lane.running;
  }

  /** The attempt is over and another is to follow: the run goes first in its lane. */
  putBack(run: LiveRun): void {
    const lane = this.#laneOf(run.record.activation);
    if (lane.running !== run) throw new TypeError(`${run.record.run} is not under way`);
    this.#stopped(lane);
    lane.waiting.unshift(run);
  }

  remove(run: LiveRun): void {
    const { activation, run: id, idempotencyKey } = run.record;
    const lane = this.#laneOf(activation);
    if (lane.running === run) this.#stopped(lane);
    const at = lane.waiting.indexOf(run);
    if (at >= 0) lane.waiting.splice(at, 1);
    this.#byRun.delete(id);
    const keys = this.#byKey.get(activation);
    if (idempotencyKey !== undefined && keys?.delete(idempotencyKey) && keys.size === 0)
      this.#byKey.delete(activation);
    if (lane.waiting.length === 0 && lane.running === undefined && !lane.taken)
      this.#lanes.delete(activation);
  }

  /**
   * Keeps runs of the activation from beginning, until the returned function is called.
   * `undefined` while one is under way.
   */
  take(activation: string): (() => void) | undefined {
    const lane = this.#laneOf(activation);
    if (lane.running || lane.taken) return undefined;
    lane.taken = true;
    return () => {
      lane.taken = false;
    };
  }

  #stopped(lane: Lane): void {
    lane.running = undefined;
    lane.turn = ++this.#turns;
    this.#running--;
  }

  #laneOf(activation: string): Lane {
    let lane = this.#lanes.get(activation);
    if (lane === undefined) {
      lane = { waiting: [], running: undefined, taken: false, turn: ++this.#turns };
      this.#lanes.set(activation, lane);
    }
    return lane;
  }
}
