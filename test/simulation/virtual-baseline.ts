import type { BaselineState } from '../../src/baseline/baseline.ts';
import { SluiceError } from '../../src/errors.ts';
import type { ProtocolBaseline } from '../../src/publish/protocol.ts';
import { deltaLogOf, type Rows, type StoredBaseline, type VirtualDisk } from './virtual-disk.ts';
import type { Process } from './world.ts';

export interface VirtualBaselineOptions {
  readonly disk: VirtualDisk;
  readonly process: Process;
  /** How often a write fails. */
  readonly faults: number;
}

const NO_ROWS: Rows = new Map();

/**
 * The baseline with its promise and nothing more: a crash within `apply` leaves the
 * generation before or the one after.
 */
export class VirtualBaseline implements ProtocolBaseline {
  readonly #options: VirtualBaselineOptions;
  /**
   * As it was opened, or as it was brought forward: another process sees only the disk.
   */
  #open: StoredBaseline | undefined;

  constructor(options: VirtualBaselineOptions) {
    this.#options = options;
    this.#open = options.disk.baseline;
  }

  get state(): BaselineState | undefined {
    return this.#open?.state;
  }

  get rows(): Rows {
    return this.#open?.rows ?? NO_ROWS;
  }

  async apply(
    deltaLog: string,
    next: BaselineState,
    { replace }: { readonly replace: boolean },
  ): Promise<void> {
    const { disk, process } = this.#options;
    const { random } = process.world;
    if (this.state !== undefined && this.state.generation >= next.generation) return;
    process.enter(`apply ${deltaLog}`);
    const delta = deltaLogOf(disk, deltaLog);
    if (delta === undefined)
      throw new SluiceError('STATE_DAMAGED', `${deltaLog} is missing`, { stage: 'state' });
    const rows = new Map(replace ? NO_ROWS : this.rows);
    for (const [key, value] of delta) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
    const applied: StoredBaseline = { state: next, rows };
    if (random.chance(this.#options.faults)) {
      if (random.chance(0.3)) disk.baseline = applied;
      process.world.note(`apply ${deltaLog}: no space left`);
      throw new SluiceError('STATE_WRITE_FAILED', `apply ${deltaLog}: ENOSPC`, { stage: 'state' });
    }
    disk.baseline = applied;
    process.world.note(`baseline is at generation ${next.generation}, of ${next.run}`);
    process.pause(`apply ${deltaLog}`);
    this.#open = applied;
  }

  async compact(): Promise<void> {
    const { process, faults } = this.#options;
    process.enter('compact');
    if (process.world.random.chance(faults)) {
      process.world.note('compact: no space left');
      throw new SluiceError('STATE_WRITE_FAILED', 'compact: ENOSPC', { stage: 'state' });
    }
  }
}
