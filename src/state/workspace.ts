import type { Baseline } from '../baseline/baseline.ts';
import { SluiceError } from '../errors.ts';
import { keepRecord, recallRecord } from '../history/record-files.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { Journal } from '../publish/journal.ts';
import type { ProtocolBaseline } from '../publish/protocol.ts';
import { StateFolder } from './state-folder.ts';

export interface WorkspaceOptions {
  /** Says to others who has it open. */
  readonly holder: string;
  /** Starts with an empty baseline where the present one is damaged. */
  readonly discardDamaged?: boolean;
}

/** What a run asks of it. */
export type OpenWorkspace = Pick<Workspace, keyof Workspace>;

/** What an activation has on local disk. Opening it locks it: one process at a time. */
export class Workspace {
  readonly baseline: Baseline;
  readonly journal: Journal;
  /** There is no baseline, since somebody has removed it. */
  readonly wasReset: boolean;
  readonly #folder: StateFolder;
  readonly #history: string;

  private constructor(baseline: Baseline, folder: StateFolder, wasReset: boolean) {
    this.baseline = baseline;
    this.wasReset = wasReset;
    this.journal = folder.journal;
    this.#folder = folder;
    this.#history = folder.historyPath;
  }

  static async open(
    dataDirectory: string,
    activation: string,
    { holder, discardDamaged = false }: WorkspaceOptions,
  ): Promise<Workspace> {
    const folder = await StateFolder.open(dataDirectory, activation, holder);
    try {
      const baseline = await openBaseline(folder, discardDamaged);
      if (baseline.state !== undefined) await folder.forgetReset();
      return new Workspace(baseline, folder, await folder.wasReset());
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

  async close(): Promise<void> {
    try {
      await this.baseline.close();
    } finally {
      await this.#folder.close();
    }
  }
}

/** A run as who has the state open. */
export function asHolder({ run, trigger }: RunRecord): string {
  return trigger === 'schedule' || trigger === 'http' ? `run ${run} of the daemon` : `run ${run}`;
}

/** The baseline of a folder, or an empty one in the place of one that is damaged. */
export async function openBaseline(
  folder: Pick<StateFolder, 'openBaseline' | 'removeBaseline'>,
  discardDamaged: boolean,
): Promise<Baseline> {
  try {
    const baseline = await folder.openBaseline();
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
    await folder.removeBaseline();
    return folder.openBaseline();
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
