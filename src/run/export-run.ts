import { setTimeout as sleep } from 'node:timers/promises';
import { type Assembly, assemble } from '../assemble.ts';
import type { BaselineState } from '../baseline/baseline.ts';
import { DeltaLogWriter } from '../baseline/delta-log.ts';
import { Spill } from '../baseline/spill.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { extensionOf, type FileName, partName, resolveFileName } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import { flow } from '../pipeline.ts';
import { Change } from '../row-batch.ts';
import { RollingBlobSink, type Series } from '../sinks/rolling-blob-sink.ts';
import { HashDiff } from '../transforms/hash-diff.ts';
import { type MappingPlan, mapColumns, planMapping } from '../transforms/map-columns.ts';
import { type BaselinePlan, planBaseline } from './baseline-plan.ts';
import { type Clock, DELTA_LOG, type Decision, rollForward } from './commit.ts';
import { changeName, decideFiles, existsError, staleParts, toRunFile } from './decide.ts';
import { type Manifest, manifestNames, parseManifest, toManifestColumn } from './manifest.ts';
import { newRunId } from './run-id.ts';
import { NO_COUNTS, type RunCounts, type RunError, type RunRecord, type RunWarning } from './run-record.ts';
import { Workspace } from './workspace.ts';

export interface ExportRequest {
  readonly activation: ResolvedActivation;
  readonly trigger: RunRecord['trigger'];
  /** Every row and a new baseline, whatever the state. */
  readonly full?: boolean;
  /** Publish even where a safety gate would hold the run. */
  readonly allowRemovals?: boolean;
  /** Aborting before the run is decided drops it; afterwards it is finished all the same. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Is given a function that tells the progress at any moment. */
  readonly observe?: (progress: () => RunProgress) => void;
}

export interface RunProgress {
  readonly phase: 'connecting' | 'reading' | 'publishing';
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly bytesStaged: number;
  readonly blocksStaged: number;
  readonly part: number;
}

export interface ExportResult {
  readonly record: RunRecord;
  /** What made the run fail, with its causes. */
  readonly error?: unknown;
  /** Earlier runs that had been decided and were finished first. */
  readonly recovered: readonly RunRecord[];
}

export const SYSTEM_CLOCK: Clock = { now: () => new Date(), sleep: milliseconds => sleep(milliseconds) };

/** Runs an activation once, from request to record. Never rejects for what the world can cause. */
export async function exportRun(request: ExportRequest): Promise<ExportResult> {
  const run = new ExportRun(request);
  try {
    return { record: await run.run(), recovered: run.recovered };
  } catch (cause) {
    const error = toSluiceError(cause, request.signal);
    return { record: await run.fail(error), error, recovered: run.recovered };
  } finally {
    await run.release();
  }
}

/** A run's outcome that is no failure of anything: it waits for a person to say that it is meant. */
class Held extends Error {}

class ExportRun {
  readonly #request: ExportRequest;
  readonly #activation: ResolvedActivation;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #onAbort = (): void => this.#abort.abort();
  /** What was acquired, released last in, first out. */
  readonly #releases: (() => Promise<void>)[] = [];
  readonly #warnings: RunWarning[] = [];
  #record: RunRecord;
  #workspace: Workspace | undefined;
  recovered: readonly RunRecord[] = [];

  constructor(request: ExportRequest) {
    this.#request = request;
    this.#activation = request.activation;
    this.#clock = request.clock ?? SYSTEM_CLOCK;
    const started = this.#clock.now();
    this.#record = {
      run: newRunId(started),
      activation: this.#activation.name,
      trigger: request.trigger,
      state: 'reading',
      runType: this.#activation.runType,
      syncMode: this.#activation.syncMode,
      full: true,
      generation: 0,
      previousGeneration: 0,
      startedAt: started.toISOString(),
      counts: NO_COUNTS,
      files: [],
      warnings: this.#warnings,
    };
    request.signal.addEventListener('abort', this.#onAbort);
    if (request.signal.aborted) this.#onAbort();
  }

  async run(): Promise<RunRecord> {
    const activation = this.#activation;
    const assembly = assemble(activation, this.#abort.signal);
    const { source, store, target } = assembly;
    const workspace = await Workspace.open(activation.dataDirectory, activation.name);
    this.#workspace = workspace;
    this.#releases.push(() => workspace.close());
    await store.checkAccess();
    this.recovered = await workspace.recover(store, target, this.#clock);
    for (const record of this.recovered) await workspace.remember(record);

    const fileName = this.#resolveName();
    if (await this.#skipsExisting(assembly, fileName)) return this.#succeed(this.#record);
    this.#releases.push(() => source.close());
    const description = await source.describe();
    const mapping = planMapping({
      modelName: activation.model.name,
      columns: description.columns,
      mapping: activation.mapping,
      primaryKey: activation.model.primaryKey,
    });
    const names = manifestNames(activation.destination.folder, activation.name, this.#record.run);
    const latest = activation.manifest ? await store.getBlob(names.latest) : undefined;
    const previous = latest && parseManifest(latest.bytes);
    const plan = planBaseline({
      activation,
      fullAsked: this.#request.full === true,
      local: workspace.baseline.state,
      latest: previous,
      description,
      mapping,
    });
    this.#warnings.push(...plan.warnings);
    const { full, generation, previousGeneration } = plan;
    const snapshotTime = description.snapshotTime.toISOString();
    this.#record = { ...this.#record, full, generation, previousGeneration, snapshotTime };

    await workspace.journal.create(this.#record.run);
    await workspace.journal.write(this.#record.run, 'intent.json', {
      activation: activation.name,
      generation,
    });
    const { sink, baseline } = await this.#stream(assembly, mapping, plan, fileName);
    const staged = sink.files;
    const decided = await decideFiles({
      activation,
      run: this.#record.run,
      generation,
      staged,
      contentType: assembly.contentType,
      store,
    });
    this.#warnings.push(...decided.warnings);
    this.#record = { ...this.#record, state: 'publishing', files: staged.map(toRunFile) };
    const { warnings, ...record } = this.#record;
    const content: Manifest = {
      version: 1,
      ...record,
      warnings,
      snapshotTime,
      endedAt: snapshotTime,
      columns: mapping.written.map(toManifestColumn),
    };
    const decision: Decision = {
      version: 1,
      record: this.#record,
      target,
      files: decided.files,
      manifest: activation.manifest
        ? { names, latest: latest ? { ifMatch: latest.etag } : { ifAbsent: true }, content }
        : undefined,
      baseline: baseline && { next: baseline, replace: full },
      stale: staleParts(previous, fileName, activation.destination.folder, staged),
    };
    this.#abort.signal.throwIfAborted();
    await workspace.journal.write(this.#record.run, 'commit.json', decision);
    // Decided: from here on a wish to cancel comes too late, and nothing is aborted any more.
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    const { journal } = workspace;
    const done = await rollForward(decision, {
      store,
      journal,
      baseline: workspace.baseline,
      clock: this.#clock,
    });
    await workspace.baseline.compact();
    return this.#succeed(done);
  }

  /** Reads, compares, encodes and stages; passes the gates; makes the delta log durable. */
  async #stream(
    assembly: Assembly,
    mapping: MappingPlan,
    plan: BaselinePlan,
    fileName: FileName,
  ): Promise<{ sink: RollingBlobSink; baseline: BaselineState | undefined }> {
    const activation = this.#activation;
    const { run } = this.#record;
    const { journal, baseline } = this.#workspace!;
    const { format, destination, onEmpty } = activation;
    const sink = new RollingBlobSink({
      store: assembly.store,
      series: seriesOf(activation),
      createEncoder: () => assembly.createEncoder(mapping.written),
      nameOf: (change, part) => this.#nameOf(fileName, change, part),
      runId: run,
      compression: format.type !== 'parquet' && format.compression === 'gzip' ? 'gzip' : 'none',
      level: format.type === 'parquet' ? undefined : format.level,
      maxFileBytes: activation.maxFileBytes,
      maxFileRows: activation.maxFileRows,
      blockBytes: activation.blockBytes,
      emptyFiles: onEmpty === 'write' ? 'write' : 'skip',
      encryptionScope: activation.blob.encryptionScope,
    });
    let rowsRead = 0;
    const transforms = [mapColumns(mapping.fields, mapping, rows => (rowsRead += rows))];
    const deltaLog = plan.keepsState
      ? await DeltaLogWriter.create(journal.path(run, DELTA_LOG), {
          keepsValues: plan.retained !== 'nothing',
        })
      : undefined;
    let diff: HashDiff | undefined;
    if (deltaLog) {
      const spill = new Spill(journal.path(run, 'spill'));
      this.#releases.push(
        () => deltaLog.close(),
        () => spill.remove(),
      );
      diff = new HashDiff({
        baseline: plan.full ? undefined : baseline,
        deltaLog,
        spill,
        seed: plan.seed,
        keyFields: mapping.keyFields,
        keyNames: activation.model.primaryKey,
        fieldCount: mapping.fields.length,
        retained: plan.retained,
        keysOnly: activation.syncMode === 'insert',
        sendsRemoved: activation.syncMode === 'difference',
        onNullKey: activation.onNullKey,
        onDuplicateKey: activation.onDuplicateKey,
        stateMemoryBytes: activation.stateMemoryBytes,
      });
      transforms.push(batches => diff!.transform(batches));
    }
    this.#request.observe?.(() => ({
      phase: this.#record.state === 'publishing' ? 'publishing' : rowsRead > 0 ? 'reading' : 'connecting',
      rowsRead,
      rowsWritten: sink.rowsWritten,
      bytesStaged: sink.bytesStaged,
      blocksStaged: sink.blocksStaged,
      part: sink.part,
    }));

    const { source } = assembly;
    const end = await flow({ source, columns: mapping.fields, transforms, sink, signal: this.#abort.signal });
    if (end.rows !== rowsRead) {
      const message = `the source counted ${end.rows} rows, but ${rowsRead} passed the pipeline`;
      throw new SluiceError('SOURCE_INCOMPLETE', message, { stage: 'source' });
    }
    const counts = countsOf(rowsRead, diff, sink);
    this.#record = { ...this.#record, counts };
    this.#noteKeys(diff);
    this.#checkGates(counts, plan);
    if (!deltaLog || !diff) return { sink, baseline: undefined };

    const before = plan.full ? 0 : (baseline.state?.count ?? 0);
    const count = before + counts.added - counts.removed;
    await deltaLog.seal({ counts, digest: diff.digest });
    const { generation, seed, identity, retained } = plan;
    return { sink, baseline: { generation, run, count, digest: diff.digest, seed, identity, retained } };
  }

  #checkGates(counts: RunCounts, plan: BaselinePlan): void {
    const { onEmpty, name, warnings } = this.#activation;
    const known = plan.keepsState ? (this.#workspace!.baseline.state?.count ?? 0) : 0;
    if (!this.#request.allowRemovals && known > 0) {
      if (counts.read === 0)
        throw new Held(`the source of ${name} returned no rows, and the baseline has ${known}`);
      const limit = warnings.removedRowsOverRatio;
      if (limit !== undefined && counts.removed > known * limit) {
        const percent = ((100 * counts.removed) / known).toFixed(1);
        throw new Held(`the run would remove ${counts.removed} of ${known} rows (${percent} %)`);
      }
    }
    if (counts.written === 0 && onEmpty === 'fail') {
      throw new SluiceError('SOURCE_EMPTY', `there is nothing to write for ${name}, and onEmpty is fail`, {
        stage: 'run',
      });
    }
  }

  #noteKeys(diff: HashDiff | undefined): void {
    if (!diff) return;
    const { nullKeys, duplicateKeys } = diff.counts;
    const shown = (problem: 'null' | 'duplicate'): string =>
      diff.samples
        .filter(sample => sample.problem === problem)
        .map(({ key }) => `(${key.map(text => text ?? 'NULL').join(', ')})`)
        .join(' ');
    if (nullKeys > 0) {
      this.#warnings.push({
        code: 'NULL_KEYS',
        message: `${nullKeys} rows have a null key: ${shown('null')}`,
      });
    }
    if (duplicateKeys > 0) {
      const message = `${duplicateKeys} rows repeat a key: ${shown('duplicate')}`;
      this.#warnings.push({ code: 'DUPLICATE_KEYS', message });
    }
  }

  #resolveName(): FileName {
    const { fileName, format, timezone, timestampOffsetMs, name, model, syncMode } = this.#activation;
    return resolveFileName({
      template: fileName,
      extension: extensionOf(format),
      instant: new Date(this.#record.startedAt),
      timezone,
      timestampOffset: timestampOffsetMs,
      run: this.#record.run,
      activation: name,
      model: model.name,
      mode: syncMode,
    });
  }

  #nameOf(fileName: FileName, change: Change | undefined, part: number): string {
    const named = changeName(change);
    const { folder } = this.#activation.destination;
    return partName(fileName, part, { folder, ...(named === undefined ? {} : { change: named }) });
  }

  /** Looks before anything is read whether the run's files are there already, where that matters. */
  async #skipsExisting({ store }: Assembly, fileName: FileName): Promise<boolean> {
    const { ifExists } = this.#activation;
    if (ifExists !== 'fail' && ifExists !== 'skip') return false;
    for (const { change } of seriesOf(this.#activation)) {
      const name = this.#nameOf(fileName, change, 1);
      if ((await store.head(name)) === undefined) continue;
      if (ifExists === 'fail') throw existsError(name);
      this.#warnings.push({ code: 'EXISTS_SKIPPED', message: `${name} exists: nothing was read or written` });
      return true;
    }
    return false;
  }

  async #succeed(record: RunRecord): Promise<RunRecord> {
    this.#record = { endedAt: this.#clock.now().toISOString(), ...record, state: 'succeeded' };
    await this.#workspace!.remember(this.#record);
    return this.#record;
  }

  async fail(error: SluiceError | Held): Promise<RunRecord> {
    const decided = this.#record.state === 'publishing';
    const state = error instanceof Held ? 'held' : error.code === 'CANCELLED' ? 'cancelled' : 'failed';
    const endedAt = this.#clock.now().toISOString();
    this.#record = {
      ...this.#record,
      state,
      endedAt,
      ...(error instanceof Held ? {} : { error: toRunError(error) }),
    };
    if (error instanceof Held) this.#warnings.push({ code: 'HELD', message: error.message });
    this.#abort.abort();
    if (!decided) await this.#workspace?.journal.remove(this.#record.run).catch(() => {});
    await this.#workspace?.remember(this.#record).catch(() => {});
    return this.#record;
  }

  async release(): Promise<void> {
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    for (const release of this.#releases.reverse()) await release().catch(() => {});
  }
}

/** Which files there are, and which rows go into each. */
function seriesOf({ syncMode }: ResolvedActivation): Series[] {
  if (syncMode === 'difference') {
    return [Change.added, Change.updated, Change.removed].map(change => ({ change, wants: [change] }));
  }
  return [{ wants: syncMode === 'insert' ? [Change.added] : [Change.added, Change.updated] }];
}

function countsOf(read: number, diff: HashDiff | undefined, sink: RollingBlobSink): RunCounts {
  const written = sink.rowsWritten;
  const bytes = sink.files.reduce((sum, file) => sum + file.bytes, 0);
  if (diff === undefined) return { ...NO_COUNTS, read, added: read, written, bytes };
  const { added, updated, removed, unchanged, nullKeys, duplicateKeys } = diff.counts;
  return { read, added, updated, removed, unchanged, skipped: nullKeys + duplicateKeys, written, bytes };
}

function toSluiceError(cause: unknown, signal: AbortSignal): SluiceError | Held {
  if (cause instanceof Held) return cause;
  if (signal.aborted) return new SluiceError('CANCELLED', 'the run was cancelled', { cause, stage: 'run' });
  if (cause instanceof SluiceError) return cause;
  return new SluiceError('INTERNAL', `unexpected: ${(cause as Error)?.message ?? String(cause)}`, {
    cause,
    stage: 'run',
  });
}

function toRunError({ code, category, message, hint, retryable }: SluiceError): RunError {
  return { code, category, message, hint, retryable };
}
