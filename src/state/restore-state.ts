import { rm } from 'node:fs/promises';
import { openDestination } from '../assemble.ts';
import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { valuesOf } from '../config/parameters/bind-parameters.ts';
import { SluiceError } from '../errors.ts';
import { RUN_ID } from '../history/run-id.ts';
import type { ParameterValues } from '../history/run-record.ts';
import { latestName } from '../publish/latest-manifest.ts';
import { type Manifest, parseManifest } from '../publish/manifest.ts';
import type { Destination } from '../sinks/sink.ts';
import { backupPrefix, checkSnapshot } from './back-up-state.ts';
import { type BackupDescriptor, downloadBackup, findBackup } from './backup-files.ts';
import type { BaselinePlace } from './baseline-place.ts';
import { backupIds } from './list-backups.ts';
import { pendingError, StateFolder } from './state-folder.ts';
import { exists } from './state-io.ts';
import { boundTo, nameOfBaseline, type StateRequest } from './state-request.ts';

export interface RestoreRequest extends StateRequest {
  /** Id of a backup; the latest without it. */
  readonly backup?: string | undefined;
  /** Restore though the destination, or the local state, has moved on since. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

export interface RestoreReport {
  readonly activation: string;
  /** Values of the parameters, where there is a baseline for each set of them. */
  readonly params?: ParameterValues;
  readonly backup: string;
  readonly generation: number;
  readonly run: string;
  readonly keys: number;
  readonly files: number;
  readonly bytes: number;
  /** The generation that was replaced. */
  readonly replaced?: number;
  /**
   * What the destination says was published last, where it differs from what was
   * restored.
   */
  readonly published?: { readonly generation: number; readonly run: string };
}

/**
 * Puts a backup in the place of the baseline, after it was read through and found to be
 * what was backed up. The present baseline stays until then, and is put back by nothing
 * but another restore afterwards. Rejects with STATE_STALE where the destination or the
 * local state is ahead of the backup, or a decided run is not finished; with
 * STATE_DAMAGED where the backup is not whole.
 */
export async function restoreState(request: RestoreRequest): Promise<RestoreReport> {
  const { backup, force, signal } = request;
  const activation = await boundTo(request);
  const { name, destination, dataDirectory, parameterSet } = activation;
  const store = await openDestination(destination, { signal });
  await store.checkAccess();
  const prefix = backupPrefix(activation);
  const isId = backup === undefined || RUN_ID.test(backup);
  const descriptor = isId ? await findBackup(store, prefix, { activation: name, backup }) : undefined;
  if (descriptor === undefined) throw await unknownBackup(store, prefix, { activation, backup });
  const folder = await StateFolder.open(dataDirectory, name, '`sluice state restore`');
  try {
    const decided = await folder.decidedRuns();
    if (decided.length > 0) throw pendingError('restored', name, decided);
    const latest = activation.manifest ? await readLatest(store, activation) : undefined;
    if (parameterSet) await folder.makeSet(parameterSet);
    const place = folder.placeOf(parameterSet?.name);
    const local = await localState(place);
    if (!force) refuseOlder(descriptor, { latest, local, name });

    const { downloadPath } = place;
    try {
      await downloadBackup(store, prefix, { descriptor, directory: downloadPath });
      await checkSnapshot(downloadPath, descriptor.state);
      signal.throwIfAborted();
    } catch (error) {
      await rm(downloadPath, { recursive: true, force: true });
      throw error;
    }
    await place.replaceBaseline();

    const { generation, run, count } = descriptor.state;
    const differs = latest !== undefined && (latest.generation !== generation || latest.run !== run);
    return {
      activation: name,
      ...(parameterSet && { params: valuesOf(parameterSet.values) }),
      backup: descriptor.backup,
      generation,
      run,
      keys: count,
      files: descriptor.files.length,
      bytes: descriptor.files.reduce((sum, { bytes }) => sum + bytes, 0),
      ...(local !== undefined && { replaced: local.generation }),
      ...(differs && { published: { generation: latest.generation, run: latest.run } }),
    };
  } finally {
    await folder.close();
  }
}

const MAX_LISTED = 5;

async function unknownBackup(
  store: Destination,
  prefix: string,
  { activation, backup }: { readonly activation: ResolvedActivation; readonly backup: string | undefined },
): Promise<SluiceError> {
  const { name, parameterSet } = activation;
  const ids = (await backupIds(store, prefix)) ?? [];
  const which = backup === undefined ? '' : ` ${JSON.stringify(backup)}`;
  const more = ids.length > MAX_LISTED ? ` and ${ids.length - MAX_LISTED} older ones` : '';
  const known = ids.length === 0 ? '' : `; there are ${ids.slice(0, MAX_LISTED).join(', ')}${more}`;
  return new SluiceError(
    'NAME_UNKNOWN',
    `there is no backup${which} of ${nameOfBaseline(name, parameterSet)} at ${prefix}${known}`,
    {
      hint:
        backup === undefined
          ? `\`sluice state backup ${name}\` makes one; without one, run with --full`
          : `\`sluice state backups ${name}\` lists them; without --backup the latest is restored`,
    },
  );
}

async function readLatest(store: Destination, activation: ResolvedActivation): Promise<Manifest | undefined> {
  const there = await store.getBlob(latestName(activation));
  return there && parseManifest(there.bytes).manifest;
}

/**
 * `undefined` where there is none that could be opened: to fix that is what restoring is
 * for.
 */
async function localState(place: BaselinePlace): Promise<BaselineState | undefined> {
  if (!(await exists(place.baselinePath))) return undefined;
  try {
    const baseline = await place.openBaseline();
    const { state } = baseline;
    await baseline.close();
    return state;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'STATE_DAMAGED') return undefined;
    throw error;
  }
}

interface Present {
  readonly latest: Manifest | undefined;
  readonly local: BaselineState | undefined;
  readonly name: string;
}

function refuseOlder({ backup, state }: BackupDescriptor, { latest, local, name }: Present): void {
  const { generation, run } = state;
  const refused = (what: string, hint: string): SluiceError =>
    new SluiceError(
      'STATE_STALE',
      `backup ${backup} of ${name} is of generation ${generation}, by run ${run}; ${what}`,
      {
        stage: 'state',
        hint,
      },
    );
  const isOther = latest?.generation === generation && latest.run !== run;
  if (latest !== undefined && (latest.generation > generation || isOther)) {
    throw refused(
      `the destination has generation ${latest.generation}, by run ${latest.run}`,
      'run with --full; with --force it is restored all the same, and the next run stops with STATE_STALE',
    );
  }
  if (local !== undefined && local.generation > generation)
    throw refused(`the local state is at ${local.generation}`, 'keep that, or repeat with --force');
}
