import { type Assembly, assemble } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { fileKind } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import { keptOf, newRecord } from '../history/new-record.ts';
import type { RunRecord, RunWarning } from '../history/run-record.ts';
import { isSuccess } from '../history/run-state.ts';
import { flow } from '../pipeline.ts';
import {
  type AppendedParts,
  allGoneMessage,
  areAllGone,
  lookAtParts,
  partWarnings,
  rememberParts,
} from '../publish/appended-parts.ts';
import type { BaselinePlan } from '../publish/baseline-plan.ts';
import { configuredProperties } from '../publish/configured-properties.ts';
import { existsError } from '../publish/decide-files.ts';
import type { LatestManifest } from '../publish/latest-manifest.ts';
import { lookBeforeStaging } from '../publish/look-before.ts';
import { type Manifest, toManifestColumn } from '../publish/manifest.ts';
import {
  exportOnce,
  type ProtocolParts,
  type RunPlan,
  recover,
  type SealedRun,
} from '../publish/protocol.ts';
import { refuseBeforeReading } from '../publish/replaced-files.ts';
import type { Clock } from '../publish/roll-forward.ts';
import type { BlobStore, BlockLists, Destination } from '../sinks/sink.ts';
import { asHolder, replaceable, Workspace } from '../state/workspace.ts';
import { type MappingPlan, mapColumns, planMapping } from '../transforms/map-columns.ts';
import type { RestOfRows } from '../transforms/rest-of-rows.ts';
import { closingOnAbort } from './close-on-abort.ts';
import { concealed } from './concealed.ts';
import { createSink } from './create-sink.ts';
import type { ExportRequest, ExportResult } from './export-request.ts';
import type { Held } from './held.ts';
import { keepHouse } from './keep-house.ts';
import { type AppendPlan, NOTHING_TO_APPEND_TO, planAnew, planAppend } from './planning/append.ts';
import { backupThatMayHelp } from './planning/backup-that-may-help.ts';
import { type Detection, planDetection, recordOfDetection, restOf } from './planning/change-detection.ts';
import { type Comparison, openComparison } from './planning/comparison.ts';
import { keyOf } from './planning/model-key.ts';
import { planBaseline } from './planning/plan-baseline.ts';
import { countsOf } from './run-counts.ts';
import { endedRecord, toSluiceError } from './run-failure.ts';
import { areNamesKnown, RunFiles } from './run-files.ts';
import { describeWaiting, NOT_READING, PATIENCE_BEFORE_READING_MS, type WaitingFor } from './run-progress.ts';
import { passGates } from './safety-gates.ts';
import { SYSTEM_CLOCK } from './system-clock.ts';
import { rememberedGeneration } from './warnings/earlier-runs.ts';
import { lateWarnings } from './warnings/late-warnings.ts';
import { emptyResultWarning, sasExpiresWarning, slowRunWarning } from './warnings/outcome-warnings.ts';
import { coercionWarnings, keyWarnings } from './warnings/run-warnings.ts';

export type { ExportRequest, ExportResult } from './export-request.ts';
export type { RunProgress } from './run-progress.ts';

/**
 * Runs an activation once, from request to record. Never rejects for what the world can
 * cause.
 */
export async function exportRun(request: ExportRequest): Promise<ExportResult> {
  const run = new ExportRun(request);
  let error: SluiceError | Held | undefined;
  try {
    await run.run().catch(async cause => {
      error = concealed(toSluiceError(cause, run.isAborted), request.activation);
      await run.fail(error);
    });
    return { record: await run.keepHouse(), ...(error && { error }), recovered: run.recovered };
  } finally {
    await run.release();
  }
}

type StreamParts = Omit<Assembly, 'store'> &
  Pick<ProtocolParts, 'store'> & { readonly blockLists: BlockLists };

/** Ends a run whose files are there already, and which leaves them as they are. */
class Skipped extends Error {}

/** The source is open, and it is known what the run is taken against. */
interface Opened {
  readonly mapping: MappingPlan;
  readonly files: RunFiles;
  readonly plan: RunPlan;
  /** The parts of the file that the run appends to; absent where it begins its files. */
  readonly found: AppendedParts | undefined;
  readonly latest: Manifest | undefined;
  /** How changes are found; absent where nothing but reading every row was asked for. */
  readonly detection: Detection | undefined;
}

class ExportRun {
  readonly #request: ExportRequest;
  readonly #activation: ResolvedActivation;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #onAbort = (): void => this.#abort.abort();
  /** What was acquired, released last in, first out. */
  readonly #releases: (() => Promise<void>)[] = [];
  /** When this attempt of the run began. */
  readonly #beganAt: Date;
  #record: RunRecord;
  #workspace: Workspace | undefined;
  /** What the protocol speaks to. */
  #parts: ProtocolParts | undefined;
  #bePatient = (): void => {};
  #waitingFor: WaitingFor | undefined;
  recovered: readonly RunRecord[] = [];

  constructor(request: ExportRequest) {
    this.#request = request;
    this.#activation = request.activation;
    this.#clock = request.clock ?? SYSTEM_CLOCK;
    this.#beganAt = this.#clock.now();
    const { record, trigger, full } = request;
    const fresh = newRecord(this.#activation, { trigger, instant: this.#beganAt, full });
    this.#record = { ...fresh, ...(record && keptOf(record)), state: 'reading' };
    request.signal.addEventListener('abort', this.#onAbort);
    if (request.signal.aborted) this.#onAbort();
  }

  /** Whether the run was cancelled in time. */
  get isAborted(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Leaves its outcome in the record. */
  async run(): Promise<void> {
    const activation = this.#activation;
    this.#request.observe?.(() => ({
      ...NOT_READING,
      connectingTo: 'destination',
      ...describeWaiting(this.#waitingFor),
    }));
    const assembly = await assemble(activation, {
      signal: this.#abort.signal,
      onRetry: ({ reason, leftMs }) => {
        this.#waitingFor = { reason, until: new Date(this.#clock.now().getTime() + leftMs) };
      },
      onRetried: () => (this.#waitingFor = undefined),
    });
    const { store, target, contentType } = assembly;
    store.patienceMs = PATIENCE_BEFORE_READING_MS;
    // What was read is worth waiting for.
    this.#bePatient = () => {
      store.patienceMs = undefined;
    };
    const workspace = await Workspace.open(activation.dataDirectory, activation.name, {
      holder: asHolder(this.#record),
      discardDamaged: this.#request.full === true,
    });
    this.#workspace = workspace;
    this.#releases.push(() => workspace.close());
    await store.checkAccess();
    const { journal, baseline } = workspace;
    const made: ProtocolParts = {
      store,
      journal,
      baseline,
      clock: this.#clock,
      target,
      configured: configuredProperties(activation),
      manifests: activation.manifest,
      completes: activation.completion !== undefined,
    };
    const parts = this.#request.intercept?.(made) ?? made;
    this.#parts = parts;
    this.recovered = await recover(
      this.#request.full ? { ...parts, baseline: replaceable(parts.baseline) } : parts,
      record => workspace.remember(record),
    );
    const done = this.#request.record && (await workspace.recall(this.#request.record.run));
    if (done && isSuccess(done)) {
      this.recovered = this.recovered.filter(({ run }) => run !== done.run);
      this.#record = done;
      return;
    }

    if (areNamesKnown(this.#activation)) {
      const files = this.#filesOf(this.#record.full);
      if (await this.#skipsExisting(store, files)) return void (await this.#succeed(this.#record));
      await lookBeforeStaging(store, files.firstNames);
    }
    let opened: Opened | undefined;
    await exportOnce(
      {
        activation,
        record: this.#record,
        contentType,
        plan: async latest => {
          opened = await this.#plan({ ...assembly, store: parts.store }, latest);
          await this.#lookAtNames(store, opened);
          return opened.plan;
        },
        stream: () => this.#stream({ ...assembly, store: parts.store, blockLists: store }, opened!),
        beforeDecision: () => {
          this.#abort.signal.throwIfAborted();
          // From here on a wish to cancel comes too late: what is decided is finished.
          this.#request.signal.removeEventListener('abort', this.#onAbort);
          this.#record = { ...this.#record, state: 'publishing' };
        },
      },
      parts,
      async record => void (await this.#succeed(record)),
    ).catch(async error => {
      if (!(error instanceof Skipped)) throw error;
      await this.#succeed(this.#record);
    });
  }

  /** Opens the source, maps its columns and decides what the run is taken against. */
  async #plan({ source, store }: Omit<StreamParts, 'blockLists'>, latest: LatestManifest): Promise<Opened> {
    const activation = this.#activation;
    const { model } = activation;
    this.#releases.push(() => source.close());
    this.#request.observe?.(() => ({ ...NOT_READING, connectingTo: 'source' }));
    const description = await closingOnAbort(source, this.#abort.signal, () => source.describe());
    const { columns } = description;
    const { name: modelName } = model;
    const primaryKey = keyOf(activation, description);
    const mapping = planMapping({ modelName, columns, mapping: activation.mapping, primaryKey });
    const fullAsked = this.#request.full === true;
    const { baseline, wasReset } = this.#workspace!;
    const local = baseline.state;
    const deltaFiles = this.#filesOf(false);
    const nameOf = (part: number): string => deltaFiles.nameOf(undefined, part);
    const appends = activation.ifExists === 'append' && !fullAsked && local !== undefined;
    const look = { store, activation: activation.name, nameOf, state: local!, previous: latest.manifest };
    const parts = appends ? await lookAtParts(look) : undefined;
    const gone = parts && areAllGone(parts) ? allGoneMessage(parts, nameOf) : undefined;
    const remembered = activation.runType === 'full_only' ? await rememberedGeneration(activation) : 0;
    const backup = await backupThatMayHelp({ activation, local, latest: latest.manifest, store });
    const plan = planBaseline({
      activation,
      fullAsked,
      local,
      wasReset,
      latest,
      remembered,
      backup,
      description,
      mapping,
      gone,
    });
    const { full, generation, previousGeneration } = plan;
    const detection = await planDetection({
      activation,
      source,
      mapping,
      plan,
      local,
      snapshotTime: description.snapshotTime,
    });
    const snapshotTime = description.snapshotTime.toISOString();
    const warnings = [...present(sasExpiresWarning(activation, this.#clock.now())), ...plan.warnings];
    this.#record = { ...this.#record, full, generation, previousGeneration, snapshotTime, warnings };
    const files = this.#filesOf(full);
    const told = {
      warnings,
      snapshotTime,
      fileName: files.fileName,
      columns: mapping.written.map(toManifestColumn),
    };
    const found = full ? undefined : parts;
    return { mapping, files, plan: { ...plan, ...told }, found, latest: latest.manifest, detection };
  }

  /**
   * Reads, compares, encodes and stages; passes the gates; makes the delta log durable.
   */
  async #stream(assembly: StreamParts, opened: Opened): Promise<SealedRun> {
    const { source } = assembly;
    const { mapping, files, plan, detection } = opened;
    const append = await this.#planAppend(assembly, opened);
    const sink = createSink({
      ...assembly,
      activation: this.#activation,
      record: this.#record,
      columns: mapping.written,
      files,
      append,
    });
    let rowsRead = 0;
    const countRows = (count: number): void => {
      if (rowsRead === 0) this.#bePatient();
      rowsRead += count;
    };
    const transforms = [mapColumns(mapping.fields, mapping, countRows)];
    const { signal } = this.#abort;
    const rest = detection && restOf({ source, mapping }, detection, { signal, onRows: countRows });
    const comparison = plan.keepsState ? await this.#openComparison(mapping, plan, rest) : undefined;
    if (comparison) transforms.push(batches => comparison.diff.transform(batches));
    // The query is sent now; its first row may take long.
    this.#request.observe?.(() => ({
      phase: this.#record.state === 'reading' ? 'reading' : 'publishing',
      rowsRead,
      rowsWritten: sink.rowsWritten,
      bytesStaged: sink.bytesStaged,
      blocksStaged: sink.blocksStaged,
      part: sink.part,
      ...describeWaiting(this.#waitingFor),
    }));
    const since = rest && detection.since;
    const end = await flow({ source, columns: mapping.fields, since, transforms, sink, signal });
    this.#bePatient();
    if (end.rows !== rowsRead) {
      const message = `the source counted ${end.rows} rows, but ${rowsRead} passed the pipeline`;
      throw new SluiceError('SOURCE_INCOMPLETE', message, { stage: 'source' });
    }
    const counts = countsOf(rowsRead, comparison?.diff, sink);
    const { found } = append;
    const nameOf = (part: number): string => files.nameOf(undefined, part);
    const warnings = [
      ...(found ? partWarnings(found, nameOf) : []),
      ...(comparison ? keyWarnings(comparison.diff) : []),
      ...coercionWarnings(sink.coerced, this.#activation.format),
      ...present(emptyResultWarning(this.#activation, counts)),
    ];
    const changeDetection = detection && recordOfDetection(detection, comparison?.diff.candidates);
    this.#record = {
      ...this.#record,
      ...(changeDetection && { changeDetection }),
      counts,
      warnings: [...this.#record.warnings, ...warnings],
    };
    const { known, compares } = plan;
    const { full: fullAsked = false, allowRemovals = false } = this.#request;
    const gates = { known, compares, fullAsked, allowRemovals };
    const passed = passGates({ activation: this.#activation, counts, ...gates });
    warnings.push(...passed);
    this.#record = { ...this.#record, warnings: [...this.#record.warnings, ...passed] };
    const staged = sink.files;
    const told = { staged, counts, warnings, ...(changeDetection && { changeDetection }) };
    if (!comparison) return { ...told, baseline: undefined };

    const { digest, hashing } = comparison.diff;
    await comparison.deltaLog.seal({ counts, digest });
    const { generation, identity, retained, position } = plan;
    const count = counts.added + (plan.full ? 0 : known - counts.removed);
    const { run } = this.#record;
    const state = this.#workspace!.baseline.state;
    const kept = {
      ...(detection?.next && { changes: detection.next }),
      ...(this.#activation.ifExists === 'append' && {
        appended: rememberParts({ state, found, staged, run, name: nameOf(1) }),
      }),
    };
    return {
      ...told,
      found,
      baseline: { generation, run, count, digest, hashing, identity, retained, position, ...kept },
    };
  }

  async #planAppend(
    { store, blockLists, createEncoder }: StreamParts,
    { mapping, files, plan, found, latest: previous }: Opened,
  ): Promise<AppendPlan> {
    const { ifExists, name: activation, format } = this.#activation;
    if (ifExists !== 'append') return NOTHING_TO_APPEND_TO;
    const nameOf = (part: number): string => files.nameOf(undefined, part);
    const { state } = this.#workspace!.baseline;
    if (found === undefined || state === undefined) return planAnew({ store, activation, nameOf, state });
    const hasEnd = createEncoder(mapping.written).endBytes > 0;
    const { hasSameColumns } = plan;
    const file = { activation, format, nameOf, hasEnd, columns: mapping.written, hasSameColumns };
    return planAppend(found, { ...file, store, blockLists, state, previous });
  }

  async #openComparison(
    mapping: MappingPlan,
    plan: BaselinePlan,
    rest: RestOfRows | undefined,
  ): Promise<Comparison> {
    const { journal, baseline } = this.#workspace!;
    const { run } = this.#record;
    const comparison = await openComparison({
      activation: this.#activation,
      run,
      journal,
      baseline,
      mapping,
      plan,
      rest,
    });
    this.#releases.push(
      () => comparison.deltaLog.close(),
      () => comparison.spill.remove(),
    );
    return comparison;
  }

  #filesOf(full: boolean): RunFiles {
    return new RunFiles(this.#activation, this.#record, fileKind(full));
  }

  /**
   * What can be said of the names before a row is read. Throws `Skipped` where the run
   * has nothing to do.
   */
  async #lookAtNames(store: Destination, { files, plan }: Opened): Promise<void> {
    if (!areNamesKnown(this.#activation)) {
      if (await this.#skipsExisting(store, files)) throw new Skipped();
      await lookBeforeStaging(store, files.firstNames);
    }
    const { full, previousGeneration } = plan;
    await refuseBeforeReading(store, files.firstNames, {
      activation: this.#activation,
      run: this.#record.run,
      full,
      previousGeneration,
    });
  }

  /**
   * Looks before anything is read whether the run's files are there already, where that
   * matters.
   */
  async #skipsExisting(store: Pick<BlobStore, 'head'>, files: RunFiles): Promise<boolean> {
    const { ifExists } = this.#activation;
    if (ifExists !== 'fail' && ifExists !== 'skip') return false;
    const name = await files.findTaken(store);
    if (name === undefined) return false;
    if (ifExists === 'fail') throw existsError(name);
    const message = `${name} exists: nothing was read or written`;
    const warnings: RunWarning[] = [{ code: 'EXISTS_SKIPPED', message }];
    this.#record = { ...this.#record, generation: 0, previousGeneration: 0, warnings };
    return true;
  }

  async #succeed(record: RunRecord): Promise<RunRecord> {
    const ended = { endedAt: this.#clock.now().toISOString(), ...record, state: 'succeeded' as const };
    const late = await lateWarnings(
      this.#activation,
      ended,
      Date.parse(ended.endedAt) - this.#beganAt.getTime(),
    );
    this.#record = { ...ended, warnings: [...ended.warnings, ...late] };
    try {
      await this.#workspace!.remember(this.#record);
    } catch (error) {
      // The decision is still in the journal: the next attempt finds the run published,
      // and records it.
      if (!(error instanceof SluiceError) || this.#request.record) throw error;
      // The run is published whether or not its record can be kept: to call it failed
      // would be wrong.
      const warning: RunWarning = { code: 'RECORD_NOT_KEPT', message: error.message };
      this.#record = { ...this.#record, warnings: [...this.#record.warnings, warning] };
    }
    return this.#record;
  }

  async fail(error: SluiceError | Held): Promise<RunRecord> {
    this.#abort.abort();
    const ended = this.#clock.now();
    const endedAt = ended.toISOString();
    const slow = present(slowRunWarning(this.#activation, ended.getTime() - this.#beganAt.getTime()));
    const warnings: RunWarning[] = [...this.#record.warnings, ...slow];
    this.#record = endedRecord({ ...this.#record, warnings, endedAt }, error);
    if (error instanceof SluiceError && error.code === 'CHANGE_DETECTION_MISMATCH')
      await this.#workspace?.baseline.distrust(error.message).catch(() => {});
    // The run's own failure is what is reported, whether or not it can be kept.
    if (!this.#request.record) await this.#workspace?.remember(this.#record).catch(() => {});
    return this.#record;
  }

  /** After everything else: the run is what it is. */
  async keepHouse(): Promise<RunRecord> {
    if (this.#workspace === undefined || this.#parts === undefined) return this.#record;
    const own = isSuccess(this.#record) && this.#record.generation > 0 ? [this.#record] : [];
    const warnings = await keepHouse({
      activation: this.#activation,
      store: this.#parts.store,
      journal: this.#parts.journal,
      published: own.length > 0 ? [...this.recovered, ...own] : [],
      now: this.#clock.now(),
      prunesHistory: this.#request.record === undefined,
    });
    if (warnings.length === 0) return this.#record;
    this.#record = { ...this.#record, warnings: [...this.#record.warnings, ...warnings] };
    await this.#workspace.remember(this.#record).catch(() => {});
    return this.#record;
  }

  async release(): Promise<void> {
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    for (const release of this.#releases.reverse()) await release().catch(() => {});
  }
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}
