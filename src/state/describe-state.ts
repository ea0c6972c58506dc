import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { activationFolder, baselineFolder } from '../disk/data-directory.ts';
import { describeHolder, FolderLockedError } from '../disk/folder-lock.ts';
import { SluiceError } from '../errors.ts';
import { findRun, listRuns } from '../history/record-files.ts';
import type { SourcePosition } from '../sources/source.ts';
import { parseIdentity } from '../transforms/baseline-identity.ts';
import { type AbandonedRun, abandonRuns } from './abandon-runs.ts';
import { exists, pendingError, StateFolder } from './state-folder.ts';

/** What an activation keeps from run to run, for people and scripts. */
export interface StateDescription {
  readonly activation: string;
  readonly runType: ResolvedActivation['runType'];
  readonly syncMode: ResolvedActivation['syncMode'];
  /** Absent before the first successful run, and where none is kept. */
  readonly baseline?: BaselineDescription;
  /**
   * Who has the state open, such as a run that is under way: then it is `lastKnown` that
   * describes the baseline.
   */
  readonly inUse?: string;
  /** What the last run that the history has as succeeded made. */
  readonly lastKnown?: Pick<BaselineDescription, 'generation' | 'run' | 'savedAt'>;
  /** Decided runs that the next start finishes. */
  readonly pending: readonly string[];
  /** Size and number of the baseline's files. */
  readonly bytes: number;
  readonly files: number;
}

export interface BaselineDescription {
  readonly generation: number;
  readonly run: string;
  /** When that run was recorded as ended, where the local history still has it. */
  readonly savedAt?: string;
  readonly keys: number;
  /** 16 hexadecimal digits. */
  readonly digest: string;
  readonly retained: BaselineState['retained'];
  /** Where the source stood. */
  readonly position?: SourcePosition;
  readonly columns: readonly { readonly name: string; readonly source: string; readonly type: string }[];
  readonly primaryKey: readonly string[];
}

/**
 * Makes nothing that is not there. While a run is under way it is what the history knows.
 */
export async function describeState(activation: ResolvedActivation): Promise<StateDescription> {
  const { name, dataDirectory, runType, syncMode } = activation;
  const told = { activation: name, runType, syncMode };
  if (!(await exists(activationFolder(dataDirectory, name))))
    return { ...told, pending: [], bytes: 0, files: 0 };
  const opened = await StateFolder.open(dataDirectory, name, '`sluice state show`').catch(
    (error: unknown) => {
      if (error instanceof FolderLockedError) return error;
      throw error;
    },
  );
  if (opened instanceof FolderLockedError) return { ...told, ...(await describeInUse(activation, opened)) };
  const folder = opened;
  try {
    const pending = await folder.decidedRuns();
    if (!(await exists(folder.baselinePath))) return { ...told, pending, bytes: 0, files: 0 };
    const baseline = await folder.openBaseline();
    try {
      const { state } = baseline;
      const size = await sizeOf(folder.baselinePath);
      if (state === undefined) return { ...told, pending, ...size };
      const savedAt = (await findRun(dataDirectory, state.run).catch(() => undefined))?.endedAt;
      return { ...told, baseline: describeBaseline(state, savedAt), pending, ...size };
    } finally {
      await baseline.close();
    }
  } finally {
    await folder.close();
  }
}

async function describeInUse(
  { name, dataDirectory }: ResolvedActivation,
  { holder }: FolderLockedError,
): Promise<Omit<StateDescription, 'activation' | 'runType' | 'syncMode' | 'baseline'>> {
  const { records } = await listRuns({ dataDirectory, activation: name, limit: MAX_LOOKED_AT });
  const last = records.find(({ state, generation }) => state !== 'failed' && generation > 0);
  const path = baselineFolder(dataDirectory, name);
  const size = await sizeOf(path).catch(() => ({ bytes: 0, files: 0 }));
  return {
    inUse: holder === undefined ? 'another process' : describeHolder(holder),
    ...(last && {
      lastKnown: {
        generation: last.generation,
        run: last.run,
        ...(last.endedAt !== undefined && { savedAt: last.endedAt }),
      },
    }),
    pending: [],
    ...size,
  };
}

/** Runs that failed since the baseline was made are passed over. */
const MAX_LOOKED_AT = 100;

function describeBaseline(state: BaselineState, savedAt: string | undefined): BaselineDescription {
  const { generation, run, count, digest, retained, position } = state;
  return {
    generation,
    run,
    ...(savedAt !== undefined && { savedAt }),
    keys: count,
    digest: hexDigest(digest),
    retained,
    ...(position && { position }),
    ...describeIdentity(state.identity),
  };
}

export function hexDigest({ high, low }: BaselineState['digest']): string {
  return [high, low].map(word => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function describeIdentity(text: string): Pick<BaselineDescription, 'columns' | 'primaryKey'> {
  const identity = parseIdentity(text);
  if (identity === undefined) return { columns: [], primaryKey: [] };
  const { columns, written, key } = identity;
  return {
    columns: columns.slice(0, written).map(({ name, source, sourceType: type }) => ({ name, source, type })),
    primaryKey: key.flatMap(index => columns[index]?.source ?? []),
  };
}

async function sizeOf(directory: string): Promise<{ bytes: number; files: number }> {
  const names = await readdir(directory);
  // LevelDB may delete one meanwhile.
  const sizes = await Promise.all(names.map(name => stat(join(directory, name)).catch(() => undefined)));
  return { bytes: sizes.reduce((sum, file) => sum + (file?.size ?? 0), 0), files: names.length };
}

export interface ResetRequest {
  readonly activation: ResolvedActivation;
  /**
   * Give up runs that are decided and not finished, and keep the baseline, which is that
   * of the last finished run.
   */
  readonly abandonDecided: boolean;
}

export interface ResetReport {
  readonly activation: string;
  /**
   * What was removed; absent where there was nothing, or nothing that could be opened.
   */
  readonly generation?: number;
  readonly run?: string;
  readonly keys?: number;
  readonly abandoned: readonly string[];
  /** What is published of each abandoned run. */
  readonly left?: readonly AbandonedRun[];
}

/**
 * Removes the baseline, also one that is damaged; or gives up decided runs, and leaves it
 * as it is. Rejects with STATE_STALE while a decided run is not finished: its changes are
 * against this baseline, and without it they could never be applied.
 */
export async function resetState({ activation, abandonDecided }: ResetRequest): Promise<ResetReport> {
  const { name, dataDirectory } = activation;
  if (!(await exists(activationFolder(dataDirectory, name)))) return { activation: name, abandoned: [] };
  const folder = await StateFolder.open(dataDirectory, name, '`sluice state reset`');
  try {
    const decided = await folder.decidedRuns();
    if (decided.length > 0 && !abandonDecided) {
      const hint = `\`sluice run ${name}\` finishes it first; --abandon gives it up, and keeps the baseline`;
      throw pendingError('reset', name, decided, { hint });
    }
    if (!abandonDecided) return { activation: name, abandoned: [], ...(await clearBaseline(folder)) };
    const left = await abandonRuns(folder, decided, activation);
    return { activation: name, abandoned: decided, left };
  } finally {
    await folder.close();
  }
}

async function clearBaseline(folder: StateFolder): Promise<Partial<ResetReport>> {
  let removed: Partial<ResetReport> = {};
  try {
    const baseline = await folder.openBaseline();
    const { state } = baseline;
    if (state !== undefined) removed = { generation: state.generation, run: state.run, keys: state.count };
    await baseline.close();
  } catch (error) {
    if (!(error instanceof SluiceError && error.code === 'STATE_DAMAGED')) throw error;
  }
  await folder.noteReset();
  // The folder's lock keeps others out, so that the files can go as they are.
  await folder.removeBaseline();
  return removed;
}
