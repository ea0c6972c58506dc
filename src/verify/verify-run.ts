import { openDestination } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { findRun } from '../history/record-files.ts';
import type { RunFile, RunRecord } from '../history/run-record.ts';
import { isSuccess } from '../history/run-state.ts';
import { type Manifest, manifestNames, parseManifest } from '../publish/manifest.ts';
import type { BlobReader, BlobStore } from '../sinks/sink.ts';
import type { Finding } from './finding.ts';
import { type FileVerification, verifyFile } from './verify-file.ts';
import { checkManifest } from './verify-manifest.ts';

export interface Verification {
  readonly run: string;
  readonly activation: string;
  readonly generation: number;
  /**
   * Name of the blob; absent for an activation without manifests, whose files the local
   * history tells.
   */
  readonly manifest?: string;
  /** What is wrong with the manifest. */
  readonly findings: readonly Finding[];
  readonly files: readonly FileVerification[];
  readonly ok: boolean;
}

export interface VerifyRequest {
  readonly run: string;
  /** Where the run may belong; tried in turn unless the local history knows it. */
  readonly activations: readonly ResolvedActivation[];
  readonly signal: AbortSignal;
  /** Called with each file as it has been read. */
  readonly onFile?: (file: FileVerification) => void;
}

/**
 * Reads what a run published back, through readers that share no code with what wrote it,
 * and holds it against the manifest. Rejects with NAME_UNKNOWN where no such run is known
 * anywhere, with USAGE where the run published nothing, and with what the store says
 * where it cannot be asked.
 */
export async function verifyRun(request: VerifyRequest): Promise<Verification> {
  const { run, activations, signal, onFile } = request;
  const record = await recordOf(run, activations);
  const own = record && activations.filter(({ name }) => name === record.activation);
  const located = await locate(run, own?.length ? own : activations, signal);
  if (located === undefined) {
    // Neither a manifest nor a memory of the run: the id is wrong, unless the caller
    // knows whose it is.
    const [only, ...others] = own?.length ? own : activations;
    if (only === undefined || (record === undefined && others.length > 0)) throw unknownRun(run, activations);
    return verifyWithoutManifest({ run, activation: only, record, signal, onFile });
  }
  const { activation, store, name, manifest } = located;
  const { findings, files, columns, format } = checkManifest({ manifest, activation, run, record });
  const verified: FileVerification[] = [];
  for (const file of files) {
    const result = await verifyFile({ file, run, columns, format, activation, store });
    verified.push(result);
    onFile?.(result);
  }
  return {
    run,
    activation: activation.name,
    generation: manifest?.generation ?? record?.generation ?? 0,
    manifest: name,
    findings,
    files: verified,
    ok: findings.length === 0 && verified.every(({ findings }) => findings.length === 0),
  };
}

type ReadableStore = BlobStore & BlobReader;

interface Located {
  readonly activation: ResolvedActivation;
  readonly store: ReadableStore;
  readonly name: string;
  /** `undefined` where what is there is no manifest. */
  readonly manifest: Manifest | undefined;
}

async function recordOf(
  run: string,
  activations: readonly ResolvedActivation[],
): Promise<RunRecord | undefined> {
  for (const dataDirectory of new Set(activations.map(activation => activation.dataDirectory))) {
    const record = await findRun(dataDirectory, run);
    if (record !== undefined && activations.some(({ name }) => name === record.activation)) return record;
  }
  return undefined;
}

/**
 * Asks the destination of each activation. A destination that fails matters only where no
 * other has the manifest.
 */
async function locate(
  run: string,
  activations: readonly ResolvedActivation[],
  signal: AbortSignal,
): Promise<Located | undefined> {
  let failure: unknown;
  for (const activation of activations) {
    const { destination } = activation;
    const { run: name } = manifestNames(destination.folder, activation.name, { run });
    try {
      const store = await openDestination(destination, { signal });
      const there = await store.getBlob(name);
      if (there !== undefined)
        return { activation, store, name, manifest: parseManifest(there.bytes).manifest };
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

async function verifyWithoutManifest({
  run,
  activation,
  record,
  signal,
  onFile,
}: {
  readonly run: string;
  readonly activation: ResolvedActivation;
  readonly record: RunRecord | undefined;
  readonly signal: AbortSignal;
  readonly onFile: VerifyRequest['onFile'] | undefined;
}): Promise<Verification> {
  if (record !== undefined && !isSuccess(record)) {
    throw new SluiceError(
      'USAGE',
      `run ${run} of ${activation.name} has the state ${record.state}: it published nothing`,
      {
        hint: 'name a run that succeeded; see `sluice runs`',
      },
    );
  }
  const { run: name } = manifestNames(activation.destination.folder, activation.name, { run });
  const findings: Finding[] = [];
  if (activation.manifest || record === undefined) {
    const known =
      record === undefined ? '' : '; files are checked against the local history, without columns';
    findings.push({ code: 'MANIFEST_MISSING', message: `${name} is not there${known}` });
  }
  const store = await openDestination(activation.destination, { signal });
  const files: FileVerification[] = [];
  for (const file of (record?.files ?? []) as readonly RunFile[]) {
    const result = await verifyFile({
      file,
      run,
      columns: undefined,
      format: activation.format,
      activation,
      store,
    });
    files.push(result);
    onFile?.(result);
  }
  return {
    run,
    activation: activation.name,
    generation: record?.generation ?? 0,
    ...(findings.length > 0 ? { manifest: name } : {}),
    findings,
    files,
    ok: findings.length === 0 && files.every(file => file.findings.length === 0),
  };
}

function unknownRun(run: string, activations: readonly ResolvedActivation[]): SluiceError {
  const where = activations.length === 0 ? 'no activation' : activations.map(({ name }) => name).join(', ');
  return new SluiceError('NAME_UNKNOWN', `there is no manifest of a run ${run}; looked at ${where}`, {
    hint: 'see `sluice runs` for the ids of runs; name the activation after the id where its manifest is gone',
  });
}
