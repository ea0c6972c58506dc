import type { ResolvedActivation } from '../../config/activation.ts';
import { fileCompression } from '../../config/format-kinds.ts';
import { SluiceError } from '../../errors.ts';
import { succeeded } from '../../history/record-steps.ts';
import { NO_COUNTS, type RunCounts, type SlicedReading, type SliceWorker } from '../../history/run-record.ts';
import type { Decision } from '../../publish/decision.ts';
import { readLatest } from '../../publish/latest-manifest.ts';
import { parseManifest } from '../../publish/manifest.ts';
import type { ProtocolParts, RunPlan } from '../../publish/protocol.ts';
import { atOnce } from '../../sinks/at-once.ts';
import { COMPRESSIONS } from '../../sinks/bodies/compressions.ts';
import { type BlobStore, DEFAULT_CHECKSUMS, type StagedFile } from '../../sinks/sink.ts';
import type { RowSource, SourceDescription } from '../../sources/source.ts';
import type { StreamedRun } from '../streaming/stream-run.ts';
import { emptyResultWarning } from '../warnings/outcome-warnings.ts';
import { CRC64_REFUSED, coercionWarnings } from '../warnings/run-warnings.ts';
import { joinSlices } from './join-slices.ts';
import { numberedParts, type SlicesToStage } from './numbered-parts.ts';
import type { PlanFiles } from './plan-files.ts';
import { BEGIN_AGAIN, describedBy, type SlicedPlan, type SliceResult, writesParts } from './sliced-plan.ts';

/**
 * Slices that have been read, in the place of a source and of the stream of its rows: a
 * run goes its usual way with them, from its plan to its record.
 */
export class FinishedSlices {
  readonly #plan: SlicedPlan;
  readonly #files: PlanFiles;
  readonly #results: readonly SliceResult[];

  /** @param results none where the run is decided already */
  constructor(plan: SlicedPlan, files: PlanFiles, results: readonly SliceResult[]) {
    this.#plan = plan;
    this.#files = files;
    this.#results = results;
  }

  /** Knows the columns, and has no rows. */
  get source(): RowSource {
    const read = (): never => {
      throw new TypeError('slices have been read');
    };
    return {
      describe: () => Promise.resolve(this.#description),
      read,
      finish: read,
      close: () => Promise.resolve(),
    };
  }

  /** As the record and the manifest have it. */
  readingOf(activation: ResolvedActivation): SlicedReading {
    const { format } = activation;
    const { slices, sliceBytes, reason } = this.#plan;
    const count = slices.length;
    const workers = workersOf(this.#results);
    const read = { count, ...(workers.length > 0 && { workers }) };
    if (count === 1) return { ...read, ...(reason !== undefined && { reason }) };
    if (writesParts(activation))
      return { ...read, consistency: 'slice', ...(sliceBytes !== undefined && { sliceBytes }) };
    const withoutChecksums = (format.checksums ?? DEFAULT_CHECKSUMS).filter(name => name !== 'crc64');
    return {
      ...read,
      consistency: 'slice',
      ...(sliceBytes !== undefined && { sliceBytes }),
      ...(withoutChecksums.length > 0 && { withoutChecksums }),
    };
  }

  /**
   * Brings a decision that was made on another machine into the journal of this one,
   * where it is finished as one of its own.
   */
  async recall(
    activation: ResolvedActivation,
    { store, journal, history }: Pick<ProtocolParts, 'store' | 'journal' | 'history'>,
  ): Promise<void> {
    const decision = await this.#files.readDecision();
    if (decision === undefined) return;
    const { record, manifest } = decision;
    const { run } = record;
    const { manifest: latest } = await readLatest(activation, store);
    if (latest && latest.run !== run && latest.generation >= record.generation) {
      const there = manifest && (await store.getBlob(manifest.names.run));
      const published = there && parseManifest(there.bytes).manifest;
      if (published?.run !== run) throw overtaken(run);
      await history.remember({ ...succeeded(record, published.endedAt), files: published.files });
      return;
    }
    if ((await journal.read(run, 'commit.json')) !== undefined) return;
    await journal.create(run);
    await journal.write(run, 'commit.json', decision);
  }

  /** Rejects where somebody has published in between. */
  async checkUnchanged({ previousGeneration }: RunPlan, store: BlobStore): Promise<void> {
    const { run, previousGeneration: before, found } = this.#plan;
    if (before !== undefined && before !== previousGeneration) throw overtaken(run);
    const heads = await atOnce(found, ({ name }) => store.head(name));
    const changed = found.find(({ etag }, index) => heads[index]?.etag !== etag);
    if (changed === undefined) return;
    const message = `${changed.name} has changed since run ${run} was begun, which drops what its slices have staged`;
    throw new SluiceError('DESTINATION_CONFLICT', message, { stage: 'destination', hint: BEGIN_AGAIN });
  }

  /** Joins what they have staged. */
  async stage({ activation, assembly, store, mapping, files }: SlicesToStage): Promise<StreamedRun> {
    const results = this.#results;
    if (results.length < this.#plan.slices.length) throw givenUp(this.#plan.run);
    const staged = await this.#staged({ activation, assembly, store, mapping, files });
    const read = results.reduce((sum, { rows }) => sum + rows, 0);
    const counts: RunCounts = {
      ...NO_COUNTS,
      read,
      added: read,
      written: staged.reduce((sum, { rows }) => sum + rows, 0),
      bytes: staged.reduce((sum, { bytes }) => sum + bytes, 0),
    };
    const coerced = new Map<string, number>();
    for (const [column, count] of results.flatMap(result => result.coerced))
      coerced.set(column, (coerced.get(column) ?? 0) + count);
    const ordered = mapping.written.flatMap(({ name }) =>
      coerced.has(name) ? [[name, coerced.get(name)!] as const] : [],
    );
    const empty = emptyResultWarning(activation, counts);
    const warnings = [
      ...coercionWarnings(new Map(ordered), activation.format),
      ...(empty ? [empty] : []),
      ...(results.some(({ refusesCrc64 }) => refusesCrc64) ? [CRC64_REFUSED] : []),
    ];
    const seal = (): Promise<{ staged: readonly StagedFile[]; baseline: undefined }> =>
      Promise.resolve({ staged, baseline: undefined });
    return { counts, changeDetection: undefined, sample: undefined, warnings, seal };
  }

  /** Makes the decision known to all who finalise the run. Returns the one that holds. */
  decide(decision: Decision): Promise<Decision> {
    return this.#files.decide(decision);
  }

  #staged(stage: SlicesToStage): Promise<readonly StagedFile[]> {
    const { activation, assembly, store, mapping, files } = stage;
    if (this.#plan.slices.length === 1) return Promise.resolve(this.#results[0]!.files);
    if (writesParts(activation)) return numberedParts(this.#results, this.#plan, stage);
    const compression = fileCompression(activation.format);
    return joinSlices({
      results: this.#results,
      run: this.#plan.run,
      name: files.nameOf(undefined, 1),
      encoder: assembly.createEncoder(mapping.written),
      compression: compression && COMPRESSIONS[compression].open(undefined),
      store,
      checksums: activation.format.checksums ?? DEFAULT_CHECKSUMS,
      writesEmpty: activation.onEmpty === 'write',
      encryptionScope: activation.blob.encryptionScope,
    });
  }

  /** With the first of the snapshots: what was committed before is in the file. */
  get #description(): SourceDescription {
    const described = describedBy(this.#plan);
    const times = this.#results.map(({ snapshotTime }) => Date.parse(snapshotTime));
    return times.length === 0 ? described : { ...described, snapshotTime: new Date(Math.min(...times)) };
  }
}

/** The results of all slices. Rejects with why one failed, or with which are missing. */
export async function resultsOf(plan: SlicedPlan, files: PlanFiles): Promise<SliceResult[]> {
  const found = await atOnce(
    plan.slices.map((_, slice) => slice),
    slice => files.readResult(plan, slice),
  );
  const missing = found.flatMap((result, slice) => (result === undefined ? [slice] : []));
  if (missing.length === 0) return found as SliceResult[];
  const failures = await atOnce(missing, slice => files.readFailure(slice));
  const failed = failures.filter(failure => failure?.run === plan.run);
  const final = failed.find(failure => failure?.error.retryable === false) ?? failed[0];
  const shown = missing.length > 10 ? `${missing.slice(0, 10).join(', ')} and more` : missing.join(', ');
  const which = missing.length === 1 ? `slice ${shown} has` : `slices ${shown} have`;
  const message = `run ${plan.run} cannot be published: ${which} no result`;
  const repeat = `\`sluice slice PLAN ${missing[0]}\` makes it`;
  if (final === undefined)
    throw new SluiceError('SOURCE_INCOMPLETE', message, { stage: 'run', hint: repeat });
  const { code, message: why, hint, retryable } = final.error;
  throw new SluiceError(code, `${message}; ${why}`, {
    stage: 'run',
    hint: `${hint}; then \`sluice slice PLAN ${final.slice}\``,
    retryable,
  });
}

/** In the order of their names. */
function workersOf(results: readonly SliceResult[]): SliceWorker[] {
  const counts = new Map<string, number>();
  for (const { worker } of results)
    if (worker !== undefined) counts.set(worker, (counts.get(worker) ?? 0) + 1);
  return [...counts]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, slices]) => ({ name, slices }));
}

function givenUp(run: string): SluiceError {
  return new SluiceError('STATE_STALE', `run ${run} was decided, and given up`, {
    stage: 'run',
    hint: BEGIN_AGAIN,
  });
}

function overtaken(run: string): SluiceError {
  const message = `another run of the activation was published since run ${run} was begun`;
  return new SluiceError('STATE_STALE', message, { stage: 'run', hint: BEGIN_AGAIN });
}
