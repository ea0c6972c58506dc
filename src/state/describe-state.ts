import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import {
  type GivenParameters,
  isSameSet,
  keepsSets,
  valuesOf,
} from '../config/parameters/bind-parameters.ts';
import { activationFolder, BASELINE, baselineFolder, setsFolder } from '../disk/data-directory.ts';
import { describeHolder, FolderLockedError } from '../disk/folder-lock.ts';
import { findRun, listRuns } from '../history/record-files.ts';
import type { ParameterValues } from '../history/run-record.ts';
import type { SourcePosition } from '../sources/source.ts';
import { parseIdentity } from '../transforms/baseline-identity.ts';
import type { BaselinePlace } from './baseline-place.ts';
import { StateFolder, setsIn, valuesOfSet } from './state-folder.ts';
import { exists } from './state-io.ts';
import { boundTo } from './state-request.ts';

/** What an activation keeps from run to run, for people and scripts. */
export interface StateDescription {
  readonly activation: string;
  readonly runType: ResolvedActivation['runType'];
  readonly syncMode: ResolvedActivation['syncMode'];
  /** Absent before the first successful run, and where none is kept. */
  readonly baseline?: BaselineDescription;
  /** The values whose baseline it is, where there is one for each set of them. */
  readonly params?: ParameterValues;
  /** All of them, where none was asked for by its values. */
  readonly sets?: readonly SetDescription[];
  /**
   * Who has the state open, such as a run that is under way: then it is `lastKnown` that
   * describes the baseline.
   */
  readonly inUse?: string;
  /** What the last run that the history has as succeeded made. */
  readonly lastKnown?: Pick<BaselineDescription, 'generation' | 'run' | 'savedAt'>;
  /** Decided runs that the next start finishes. */
  readonly pending: readonly string[];
  /** Size and number of the baseline's files, of all sets where there are sets. */
  readonly bytes: number;
  readonly files: number;
}

/** The baseline of one set of parameter values. */
export interface SetDescription {
  /** The name of its folder, in the data directory and in the destination. */
  readonly set: string;
  /** Absent where the folder does not say them. */
  readonly params?: ParameterValues;
  /** Absent while the state is in use. */
  readonly baseline?: BaselineDescription;
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
 * Without values all sets are described, where there is a baseline for each.
 */
export async function describeState(
  asked: ResolvedActivation,
  params?: GivenParameters,
): Promise<StateDescription> {
  const listsSets = keepsSets(asked) && Object.keys(params ?? {}).length === 0;
  const activation = listsSets ? asked : await boundTo({ activation: asked, params });
  const { name, dataDirectory, runType, syncMode, parameterSet } = activation;
  const told = {
    activation: name,
    runType,
    syncMode,
    ...(parameterSet && { params: valuesOf(parameterSet.values) }),
  };
  if (!(await exists(activationFolder(dataDirectory, name))))
    return { ...told, ...(listsSets && { sets: [] }), pending: [], bytes: 0, files: 0 };
  const opened = await StateFolder.open(dataDirectory, name, '`sluice state show`').catch(
    (error: unknown) => {
      if (error instanceof FolderLockedError) return error;
      throw error;
    },
  );
  if (opened instanceof FolderLockedError)
    return { ...told, ...(await describeInUse(activation, opened, listsSets)) };
  const folder = opened;
  try {
    const pending = await folder.decidedRuns();
    if (!listsSets)
      return {
        ...told,
        pending,
        ...(await describePlace(folder.placeOf(parameterSet?.name), dataDirectory)),
      };
    const names = await folder.sets();
    const sets: SetDescription[] = [];
    for (const set of names) {
      const described = await describePlace(folder.placeOf(set), dataDirectory);
      if (described.baseline) sets.push({ set, ...(await paramsOf(folder.placeOf(set).path)), ...described });
    }
    return { ...told, sets, pending, ...sumOf(sets) };
  } finally {
    await folder.close();
  }
}

type Size = Pick<StateDescription, 'bytes' | 'files'>;

async function describePlace(
  place: BaselinePlace,
  dataDirectory: string,
): Promise<Pick<StateDescription, 'baseline'> & Size> {
  if (!(await exists(place.baselinePath))) return { bytes: 0, files: 0 };
  const baseline = await place.openBaseline();
  try {
    const { state } = baseline;
    const size = await sizeOf(place.baselinePath);
    if (state === undefined) return size;
    const savedAt = (await findRun(dataDirectory, state.run).catch(() => undefined))?.endedAt;
    return { baseline: describeBaseline(state, savedAt), ...size };
  } finally {
    await baseline.close();
  }
}

async function paramsOf(path: string): Promise<Pick<SetDescription, 'params'>> {
  const values = await valuesOfSet(path);
  return values ? { params: valuesOf(values) } : {};
}

function sumOf(sets: readonly Size[]): Size {
  return {
    bytes: sets.reduce((sum, { bytes }) => sum + bytes, 0),
    files: sets.reduce((sum, { files }) => sum + files, 0),
  };
}

async function describeInUse(
  { name, dataDirectory, parameterSet }: ResolvedActivation,
  { holder }: FolderLockedError,
  listsSets: boolean,
): Promise<Omit<StateDescription, 'activation' | 'runType' | 'syncMode' | 'baseline' | 'params'>> {
  const { records } = await listRuns({ dataDirectory, activation: name, limit: MAX_LOOKED_AT });
  const last = records.find(
    ({ state, generation, params }) =>
      state !== 'failed' &&
      generation > 0 &&
      (parameterSet === undefined || isSameSet(params, valuesOf(parameterSet.values))),
  );
  const path = setsFolder(dataDirectory, name);
  const sets: SetDescription[] = [];
  for (const set of listsSets ? await setsIn(path) : []) {
    const size = await sizeOf(join(path, set, BASELINE)).catch(() => undefined);
    if (size) sets.push({ set, ...(await paramsOf(join(path, set))), ...size });
  }
  const own =
    parameterSet === undefined
      ? baselineFolder(dataDirectory, name)
      : join(path, parameterSet.name, BASELINE);
  const size = listsSets ? sumOf(sets) : await sizeOf(own).catch(() => ({ bytes: 0, files: 0 }));
  return {
    ...(listsSets && { sets }),
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
