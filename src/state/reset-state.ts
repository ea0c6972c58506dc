import { valuesOf } from '../config/parameters/bind-parameters.ts';
import { activationFolder } from '../disk/data-directory.ts';
import { SluiceError } from '../errors.ts';
import type { ParameterValues } from '../history/run-record.ts';
import { type AbandonedRun, abandonRuns } from './abandon-runs.ts';
import type { BaselinePlace } from './baseline-place.ts';
import { pendingError, StateFolder } from './state-folder.ts';
import { exists } from './state-io.ts';
import { boundTo, type StateRequest } from './state-request.ts';

export interface ResetRequest extends StateRequest {
  /**
   * Give up runs that are decided and not finished, and keep the baseline, which is that
   * of the last finished run.
   */
  readonly abandonDecided: boolean;
  /** Removes the baselines of all sets of parameter values. */
  readonly allSets?: boolean | undefined;
}

export interface ResetReport {
  readonly activation: string;
  /** Values of the parameters, where there is a baseline for each set of them. */
  readonly params?: ParameterValues;
  /** How many baselines were removed, where those of all sets were to be. */
  readonly sets?: number;
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
export async function resetState(request: ResetRequest): Promise<ResetReport> {
  const { abandonDecided, allSets = false } = request;
  const isOne = !abandonDecided && !allSets;
  const activation = isOne ? await boundTo(request) : request.activation;
  const { name, dataDirectory, parameterSet } = activation;
  const told = { activation: name, ...(parameterSet && { params: valuesOf(parameterSet.values) }) };
  if (!(await exists(activationFolder(dataDirectory, name)))) return { ...told, abandoned: [] };
  const folder = await StateFolder.open(dataDirectory, name, '`sluice state reset`');
  try {
    const decided = await folder.decidedRuns();
    if (decided.length > 0 && !abandonDecided) {
      const hint = `\`sluice run ${name}\` finishes it first; --abandon gives it up, and keeps the baseline`;
      throw pendingError('reset', name, decided, { hint });
    }
    if (isOne) {
      const there = parameterSet === undefined || (await folder.sets()).includes(parameterSet.name);
      return {
        ...told,
        abandoned: [],
        ...(there && (await clearBaseline(folder.placeOf(parameterSet?.name)))),
      };
    }
    if (!abandonDecided) return { ...told, abandoned: [], sets: await clearAll(folder) };
    const left = await abandonRuns(folder, decided, activation);
    return { activation: name, abandoned: decided, left };
  } finally {
    await folder.close();
  }
}

async function clearAll(folder: StateFolder): Promise<number> {
  let sets = 0;
  for (const set of await folder.sets()) {
    const place = folder.placeOf(set);
    if (!(await exists(place.baselinePath))) continue;
    await clearBaseline(place);
    sets++;
  }
  return sets;
}

async function clearBaseline(place: BaselinePlace): Promise<Partial<ResetReport>> {
  let removed: Partial<ResetReport> = {};
  try {
    const baseline = await place.openBaseline();
    const { state } = baseline;
    if (state !== undefined) removed = { generation: state.generation, run: state.run, keys: state.count };
    await baseline.close();
  } catch (error) {
    if (!(error instanceof SluiceError && error.code === 'STATE_DAMAGED')) throw error;
  }
  await place.noteReset();
  // The folder's lock keeps others out, so that the files can go as they are.
  await place.removeBaseline();
  return removed;
}
