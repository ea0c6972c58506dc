import type { Baseline } from '../baseline/baseline.ts';
import type { ParameterSet } from '../config/parameters/parameter-set.ts';
import { SluiceError } from '../errors.ts';
import { keepRecord, recallRecord } from '../history/record-files.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { Journal } from '../publish/journal.ts';
import type { ProtocolBaseline } from '../publish/protocol.ts';
import type { BaselinePlace } from './baseline-place.ts';
import { checkRoomForSet } from './room-for-set.ts';
import { StateFolder } from './state-folder.ts';

export interface WorkspaceOptions {
  /** Says to others who has it open. */
  readonly holder: string;
  /** Starts with an empty baseline where the present one is damaged. */
  readonly discardDamaged?: boolean;
  /** Whose baseline it is, where there is one for each set of parameter values. */
  readonly set?: ParameterSet | undefined;
}

/** What a run asks of it. */
export type OpenWorkspace = Pick<Workspace, keyof Workspace>;

/**
 * What an activation has on local disk, with one of its baselines. Opening it locks it,
 * whichever baseline it is: one process at a time.
 */
export class Workspace {
  readonly baseline: Baseline;
  readonly journal: Journal;
  /** There is no baseline, since somebody has removed it. */
  readonly wasReset: boolean;
  readonly #folder: StateFolder;
  readonly #set: ParameterSet | undefined;
  readonly #history: string;

  private constructor(
    baseline: Baseline,
    folder: StateFolder,
    { wasReset, set }: { readonly wasReset: boolean; readonly set: ParameterSet | undefined },
  ) {
    this.baseline = baseline;
    this.wasReset = wasReset;
    this.journal = folder.journal;
    this.#folder = folder;
    this.#set = set;
    this.#history = folder.historyPath;
  }

  static async open(
    dataDirectory: string,
    activation: string,
    { holder, discardDamaged = false, set }: WorkspaceOptions,
  ): Promise<Workspace> {
    const folder = await StateFolder.open(dataDirectory, activation, holder);
    try {
      if (set) await folder.makeSet(set);
      const place = folder.placeOf(set?.name);
      const baseline = await openBaseline(place, discardDamaged);
      if (baseline.state !== undefined) await place.forgetReset();
      return new Workspace(baseline, folder, { wasReset: await place.wasReset(), set });
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  /** Keeps the record of a run, whole and durably. Rejects with STATE_WRITE_FAILED. */
  async remember(record: RunRecord): Promise<void> {
    await keepRecord(this.#history, record);
  }

  /** The record of a run that has been kept. */
  async recall(run: string): Promise<RunRecord | undefined> {
    return recallRecord(this.#history, run);
  }

  /** Rejects with PARAMETER_SETS_EXCEEDED where its set would be one too many. */
  async checkRoom(most: number): Promise<void> {
    const set = this.#set;
    if (set && this.baseline.state === undefined) await checkRoomForSet(this.#folder, set, most);
  }

  /** Opens that of another set for as long as `act` takes. */
  async withBaselineOf<T>(set: string | undefined, act: (baseline: Baseline) => Promise<T>): Promise<T> {
    if (set === this.#set?.name) return act(this.baseline);
    const baseline = await this.#folder.placeOf(set).openBaseline();
    try {
      return await act(baseline);
    } finally {
      await baseline.close();
    }
  }

  async close(): Promise<void> {
    try {
      await this.baseline.close();
      await this.#forgetUnused();
    } finally {
      await this.#folder.close();
    }
  }

  /** A run that made no baseline takes no place of another set. */
  async #forgetUnused(): Promise<void> {
    if (!this.#set || this.baseline.state !== undefined) return;
    try {
      if ((await this.#folder.decidedRuns()).length === 0) await this.#folder.forgetSet(this.#set.name);
    } catch (error) {
      // It is left as a crash would leave it.
      if (!(error instanceof SluiceError)) throw error;
    }
  }
}

/** A run as who has the state open. */
export function asHolder({ run, trigger }: RunRecord): string {
  return trigger === 'schedule' || trigger === 'http' ? `run ${run} of the daemon` : `run ${run}`;
}

/** The baseline of a place, or an empty one in the place of one that is damaged. */
export async function openBaseline(
  place: Pick<BaselinePlace, 'openBaseline' | 'removeBaseline'>,
  discardDamaged: boolean,
): Promise<Baseline> {
  try {
    const baseline = await place.openBaseline();
    if (!discardDamaged) return baseline;
    try {
      await checkWhole(baseline);
      return baseline;
    } catch (error) {
      await baseline.close();
      throw error;
    }
  } catch (error) {
    if (!discardDamaged || !isDamage(error)) throw error;
    await place.removeBaseline();
    return place.openBaseline();
  }
}

/**
 * A damaged table that nothing reads would still fail the writes that LevelDB merges it
 * with.
 */
async function checkWhole(baseline: Baseline): Promise<void> {
  const told = baseline.state;
  if (told === undefined) return;
  const { count, digest } = await baseline.measure();
  await baseline.readAll();
  if (count === told.count && digest.low === told.digest.low && digest.high === told.digest.high) return;
  throw new SluiceError('STATE_DAMAGED', 'the baseline does not add up to its digest', { stage: 'state' });
}

/**
 * For a run that will replace the baseline: what an earlier run cannot bring it to no
 * longer matters.
 */
export function replaceable(baseline: ProtocolBaseline): ProtocolBaseline {
  return {
    get state() {
      return baseline.state;
    },
    compact: () => baseline.compact(),
    apply: async (...args) => {
      try {
        await baseline.apply(...args);
      } catch (error) {
        if (!isDamage(error)) throw error;
      }
    },
  };
}

function isDamage(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'STATE_DAMAGED';
}
