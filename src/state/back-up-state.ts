import { rm } from 'node:fs/promises';
import { openDestination } from '../assemble.ts';
import { Baseline, type BaselineState } from '../baseline/baseline.ts';
import { hashingText } from '../baseline/row-hashing.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { valuesOf } from '../config/parameters/bind-parameters.ts';
import { SluiceError } from '../errors.ts';
import { newRunId } from '../history/run-id.ts';
import type { ParameterValues } from '../history/run-record.ts';
import { manifestFolder } from '../publish/manifest.ts';
import { uploadBackup } from './backup-files.ts';
import { copyBaseline, removeAbandoned, snapshotPath } from './baseline-links.ts';
import type { BaselinePlace } from './baseline-place.ts';
import { hexDigest } from './describe-state.ts';
import { pendingError, StateFolder } from './state-folder.ts';
import { exists } from './state-io.ts';
import { boundTo, nameOfBaseline, type StateRequest } from './state-request.ts';

export interface BackupRequest extends StateRequest {
  /** Make this the latest backup, though there is one of a later generation. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

export interface BackupReport {
  readonly activation: string;
  /** Values of the parameters, where there is a baseline for each set of them. */
  readonly params?: ParameterValues;
  readonly backup: string;
  readonly generation: number;
  readonly run: string;
  readonly keys: number;
  readonly files: number;
  readonly bytes: number;
  /** What was not in the destination yet. */
  readonly filesUploaded: number;
  readonly bytesUploaded: number;
}

/**
 * Backs the baseline up to the destination. The state is locked only while links to its
 * files are made; what is checked and sent then is that snapshot, which nobody else knows
 * of.
 */
export async function backupState(request: BackupRequest): Promise<BackupReport> {
  const { force, signal } = request;
  const activation = await boundTo(request);
  const { name, destination, blob, parameterSet } = activation;
  const store = await openDestination(destination, { signal });
  await store.checkAccess();
  const snapshot = await takeSnapshot(activation);
  try {
    await checkSnapshot(snapshot.directory, snapshot.state);
    signal.throwIfAborted();
    const now = new Date();
    const { state } = snapshot;
    const { descriptor, filesUploaded, bytesUploaded } = await uploadBackup({
      store,
      prefix: backupPrefix(activation),
      directory: snapshot.directory,
      backup: newRunId(now),
      activation: name,
      state,
      now,
      replaceLater: force,
      encryptionScope: blob.encryptionScope,
    });
    const { files, backup } = descriptor;
    return {
      activation: name,
      ...(parameterSet && { params: valuesOf(parameterSet.values) }),
      backup,
      generation: state.generation,
      run: state.run,
      keys: state.count,
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      filesUploaded,
      bytesUploaded,
    };
  } finally {
    await rm(snapshot.directory, { recursive: true, force: true });
  }
}

export function backupPrefix({ name, destination, parameterSet }: ResolvedActivation): string {
  return `${manifestFolder(destination.folder, name, parameterSet?.name)}state/`;
}

interface Snapshot {
  readonly directory: string;
  readonly state: BaselineState;
}

async function takeSnapshot({ name, dataDirectory, parameterSet }: ResolvedActivation): Promise<Snapshot> {
  const folder = await StateFolder.open(dataDirectory, name, '`sluice state backup`');
  try {
    const decided = await folder.decidedRuns();
    if (decided.length > 0) throw pendingError('backed up', name, decided);
    const place = folder.placeOf(parameterSet?.name);
    const state = (await exists(place.baselinePath)) ? await flushed(place) : undefined;
    if (state === undefined) {
      throw new SluiceError('USAGE', `${nameOfBaseline(name, parameterSet)} has no baseline to back up`, {
        hint: 'a run of type full_then_delta makes one',
      });
    }
    await removeAbandoned(folder.path);
    const directory = snapshotPath(folder.path);
    await copyBaseline(place.baselinePath, directory);
    return { directory, state };
  } finally {
    await folder.close();
  }
}

async function flushed(place: BaselinePlace): Promise<BaselineState | undefined> {
  const baseline = await place.openBaseline();
  try {
    if (baseline.state !== undefined) await baseline.flush();
    return baseline.state;
  } finally {
    await baseline.close();
  }
}

/**
 * Makes sure that the files are the whole baseline of that state: a copy that somebody
 * wrote to meanwhile, or a damaged baseline, must not become a backup. Rejects with
 * STATE_DAMAGED.
 */
export async function checkSnapshot(directory: string, expected: BaselineState): Promise<void> {
  const baseline = await Baseline.open(directory);
  try {
    const found = baseline.state;
    if (found === undefined) throw mismatch('it has no state');
    if (found.generation !== expected.generation || found.run !== expected.run) {
      const seen = `generation ${found.generation} by run ${found.run}`;
      throw mismatch(`it is at ${seen}, not at ${expected.generation} by run ${expected.run}`);
    }
    if (found.identity !== expected.identity || hashingText(found) !== hashingText(expected))
      throw mismatch('its columns or hashes are not those that were noted');
    const { count, digest } = await baseline.measure();
    for (const { count: wantedCount, digest: wanted } of [found, expected]) {
      if (count !== wantedCount) throw mismatch(`it has ${count} keys, not ${wantedCount}`);
      if (digest.low !== wanted.low || digest.high !== wanted.high)
        throw mismatch(`its rows have the digest ${hexDigest(digest)}, not ${hexDigest(wanted)}`);
    }
  } finally {
    await baseline.close();
  }
}

function mismatch(what: string): SluiceError {
  return new SluiceError('STATE_DAMAGED', `the copy of the baseline is damaged: ${what}`, { stage: 'state' });
}
