import { type Assembly, assemble, createSource } from '../assemble.ts';
import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { fileKind } from '../config/file-name.ts';
import { bindParameters, bindSet, valuesOf } from '../config/parameters/bind-parameters.ts';
import { SluiceError } from '../errors.ts';
import { keptOf, newRecord } from '../history/new-record.ts';
import {
  counted,
  decided,
  failed,
  held,
  parameterized,
  planned,
  sampled,
  skipped,
  sliced,
  succeeded,
  warned,
} from '../history/record-steps.ts';
import type { RunRecord, RunWarning } from '../history/run-record.ts';
import { isSuccess } from '../history/run-state.ts';
import { ArrivedRows } from '../pipeline.ts';
import type { BaselinePlan } from '../publish/baseline-plan.ts';
import { existsError } from '../publish/decide-files.ts';
import type { LatestManifest } from '../publish/latest-manifest.ts';
import { findTaken, lookBeforeStaging } from '../publish/look-before.ts';
import { type ProtocolParts, RunProtocol, type SealedRun } from '../publish/protocol.ts';
import { refuseBeforeReading } from '../publish/replaced-files.ts';
import { lookingDestination } from '../sinks/looking-destination.ts';
import type { Destination } from '../sinks/sink.ts';
import { openToLook } from '../state/looking-workspace.ts';
import { asHolder, type OpenWorkspace, replaceable, Workspace } from '../state/workspace.ts';
import { Cancellation } from './cancellation.ts';
import { concealed } from './concealed.ts';
import type { ExportRequest, ExportResult } from './export-request.ts';
import { Held } from './held.ts';
import { keepHouse } from './keep-house.ts';
import { lastSuccessWith } from './planning/last-success.ts';
import { type PlannedExport, planRun } from './planning/plan-run.ts';
import { protocolParts } from './protocol-parts.ts';
import { toSluiceError } from './run-failure.ts';
import { areNamesKnown, RunFiles } from './run-files.ts';
import { PATIENCE_BEFORE_READING_MS, ProgressReport } from './run-progress.ts';
import { passGates } from './safety-gates.ts';
import { type StreamedRun, streamRun } from './streaming/stream-run.ts';
import { lateWarnings } from './warnings/late-warnings.ts';
import { slowRunWarning } from './warnings/outcome-warnings.ts';

export type { ExportRequest, ExportResult } from './export-request.ts';
export type { RunProgress } from './run-progress.ts';

/**
 * Runs an activation once, from request to record. Never rejects for what the world can
 * cause.
 */
export async function exportRun(request: ExportRequest): Promise<ExportResult> {
  const run = new ExportRun(request);
  try {
    const error = await run.run();
    const record = await run.keepHouse();
    const { recovered, clockAheadMs } = run;
    return {
      record,
      ...(error && { error }),
      recovered,
      ...(clockAheadMs !== undefined && { clockAheadMs }),
    };
  } finally {
    await run.release();
  }
}

/** The destination answers and the state is open. */
interface Connected {
  readonly assembly: Assembly;
  readonly workspace: OpenWorkspace;
  readonly parts: ProtocolParts;
}

/** A file of a partition is there already, and the run leaves all as it is. */
class Taken {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** One run. It alone writes the record of the run, by the steps of record-steps.ts. */
class ExportRun {
  readonly #request: ExportRequest;
  #activation: ResolvedActivation;
  readonly #fullAsked: boolean;
  readonly #clock: Clock;
  readonly #cancellation: Cancellation;
  readonly #progress: ProgressReport;
  /** What was acquired, released last in, first out. */
  readonly #releases: (() => Promise<void>)[] = [];
  /** When this attempt of the run began. */
  readonly #beganAt: Date;
  #record: RunRecord;
  #workspace: OpenWorkspace | undefined;
  #connected: Connected | undefined;
  recovered: readonly RunRecord[] = [];

  constructor(request: ExportRequest) {
    const { activation, record, trigger, full, signal, clock = SYSTEM_CLOCK, observe, parts } = request;
    this.#request = request;
    // Threads that read make encoders by the configuration.
    this.#activation = parts?.createEncoder ? { ...activation, parallel: 1 } : activation;
    this.#fullAsked = full === true;
    this.#clock = clock;
    this.#beganAt = clock.now();
    const fresh = newRecord(activation, { trigger, instant: this.#beganAt, full });
    this.#record = { ...fresh, ...(record && keptOf(record)), state: 'reading' };
    this.#cancellation = new Cancellation(signal);
    this.#progress = new ProgressReport(observe, clock);
  }

  /** Leaves the outcome in the record. Returns what kept the run from its success. */
  async run(): Promise<SluiceError | Held | undefined> {
    try {
      const held = await this.#export();
      if (held) await this.#hold(held);
      return held;
    } catch (cause) {
      const { aborted } = this.#cancellation.signal;
      const error = concealed(toSluiceError(cause, aborted), this.#activation);
      await this.#fail(error);
      return error;
    }
  }

  get clockAheadMs(): number | undefined {
    const here = this.#clock.now();
    const there = this.#connected?.assembly.store.serviceTime(here);
    return there && there.getTime() - here.getTime();
  }

  /** The run, read downwards. Returns what holds it, if anything does. */
  async #export(): Promise<Held | undefined> {
    const { run, startedAt } = this.#record;
    const { params: given } = this.#request;
    this.#activation = await bindSet(this.#activation, { given, runTime: new Date(startedAt) });
    const opened = await this.#connect();
    const { parts } = opened;
    const { baseline } = parts;
    const { slices } = this.#request;
    if (slices && (await opened.workspace.recall(run)) === undefined)
      await slices.recall(this.#activation, parts);
    const protocol = await RunProtocol.open(parts, {
      baseline: this.#fullAsked ? replaceable(baseline) : baseline,
    });
    this.recovered = protocol.recovered;
    if (await this.#wasDone(opened)) return undefined;
    await opened.workspace.checkRoom(this.#activation.maxParameterSets);
    const connected = await this.#bindParameters(opened);
    const activation = this.#activation;
    const { store, contentType } = connected.assembly;
    const knowsNames = areNamesKnown(activation);
    if (knowsNames && (await this.#isSkipped(store, this.#filesOf(this.#record.full))))
      return this.#succeed(connected);

    const latest = await protocol.latest(activation);
    const prepared = await this.#plan(connected, latest);
    if (prepared instanceof Held) return prepared;
    const { plan, files, readers } = prepared;
    this.#record = planned(this.#record, plan, readers?.readers);
    if (slices) this.#record = sliced(this.#record, slices.readingOf(activation));
    if (!knowsNames && (await this.#isSkipped(store, files))) return this.#succeed(connected);
    const { full, previousGeneration } = plan;
    await slices?.checkUnchanged(plan, store);
    await refuseBeforeReading(store, files.firstNames, { activation, run, full, previousGeneration });

    const open = await protocol.begin({ run, activation, contentType, plan, latest });
    const decision = await open.orDrop(async () => {
      const streamed = await this.#stream(connected, prepared);
      const { counts, changeDetection, warnings } = streamed;
      this.#record = warned(counted(this.#record, counts, changeDetection), warnings);
      const passed = this.#passGates(plan);
      if (passed instanceof Held || this.#request.plans)
        this.#record = sampled(this.#record, streamed.sample);
      if (passed instanceof Held) return passed;
      this.#record = warned(this.#record, passed);
      const sealed = await streamed.seal();
      const taken = await this.#takenOf(store, sealed);
      if (taken !== undefined) return new Taken(taken);
      const made = await open.decide(this.#record, sealed);
      this.#cancellation.close();
      return slices ? slices.decide(made) : made;
    });
    if (decision instanceof Held || decision instanceof Taken) await open.drop();
    if (decision instanceof Held) return decision;
    if (decision instanceof Taken) {
      this.#skip(`${decision.name} exists: nothing was written`);
      return this.#succeed(connected);
    }
    if (this.#request.plans) {
      this.#record = decision.record;
      return undefined;
    }
    this.#record = decided(this.#record);
    this.#progress.publishing();
    this.#record = await open.publish(decision);
    await this.#succeed(connected);
    await open.forget();
    return undefined;
  }

  /** Assembles the parts, opens the state and looks whether the destination answers. */
  async #connect(): Promise<Connected> {
    const activation = this.#activation;
    this.#progress.connecting('destination');
    const { onRetry, onRetried } = this.#progress;
    const { signal } = this.#cancellation;
    const { plans = false, slices, parts: own } = this.#request;
    const assembled = await assemble(activation, { signal, onRetry, onRetried }, own);
    const store = plans ? lookingDestination(assembled.store) : assembled.store;
    const assembly = { ...assembled, store, ...(slices && { source: slices.source }) };
    store.patienceMs = PATIENCE_BEFORE_READING_MS;
    const workspace = await (plans ? openToLook : Workspace.open)(activation.dataDirectory, activation.name, {
      holder: plans ? 'a plan' : asHolder(this.#record),
      discardDamaged: this.#fullAsked,
      set: activation.parameterSet,
    });
    this.#workspace = workspace;
    this.#releases.push(() => workspace.close());
    await store.checkAccess();
    const made = protocolParts({ activation, assembly, workspace, clock: this.#clock });
    const parts = this.#request.intercept?.(made) ?? made;
    this.#connected = { assembly, workspace, parts };
    return this.#connected;
  }

  /** Gives the query its values: the source is then one with them. */
  async #bindParameters(connected: Connected): Promise<Connected> {
    const activation = this.#activation;
    const { assembly } = connected;
    const { store } = assembly;
    const { params: given } = this.#request;
    if (activation.parameterSet) {
      this.#record = parameterized(this.#record, valuesOf(activation.parameterSet.values));
      return connected;
    }
    const bound = await bindParameters(activation, {
      given,
      runTime: new Date(this.#record.startedAt),
      lastSuccess: values => lastSuccessWith(values, { activation, store }),
    });
    if (bound.parameters === undefined) return connected;
    this.#activation = bound;
    this.#record = parameterized(this.#record, valuesOf(bound.parameters));
    if (this.#request.parts?.source) return connected;
    return { ...connected, assembly: { ...assembly, source: await createSource(bound) } };
  }

  /** Whether an earlier attempt, or recovery just now, has published the run. */
  async #wasDone({ workspace }: Connected): Promise<boolean> {
    if (this.#request.record === undefined) return false;
    const done = await workspace.recall(this.#request.record.run);
    if (done === undefined || !isSuccess(done)) return false;
    this.recovered = this.recovered.filter(({ run }) => run !== done.run);
    this.#record = done;
    return true;
  }

  #filesOf(full: boolean): RunFiles {
    return new RunFiles(this.#activation, this.#record, fileKind(full));
  }

  /**
   * Looks at the names before a row is read, since what a few requests tell need not be
   * found out after hours of reading. Whether the run leaves its files as they are.
   */
  async #isSkipped(store: Destination, files: RunFiles): Promise<boolean> {
    const { ifExists } = this.#activation;
    const name =
      ifExists === 'fail' || ifExists === 'skip' ? await findTaken(store, files.firstNames) : undefined;
    if (name === undefined) {
      await lookBeforeStaging(store, files.firstNames);
      return false;
    }
    if (ifExists === 'fail') throw existsError(name);
    this.#skip(`${name} exists: nothing was read or written`);
    return true;
  }

  #skip(message: string): void {
    this.#record = skipped(this.#record, { code: 'EXISTS_SKIPPED', message });
  }

  /**
   * The first name of a partition that is taken, where that skips the run: only its rows
   * have told which partitions there are.
   */
  async #takenOf(store: Destination, { staged }: SealedRun): Promise<string | undefined> {
    const { partitionBy, ifExists } = this.#activation;
    if (partitionBy === undefined || ifExists !== 'skip') return undefined;
    return findTaken(
      store,
      staged.map(({ name }) => name),
    );
  }

  #plan({ assembly, workspace, parts }: Connected, latest: LatestManifest): Promise<PlannedExport | Held> {
    const { source } = assembly;
    this.#releases.push(() => source.close());
    this.#progress.connecting('source');
    return planRun({
      activation: this.#activation,
      record: this.#record,
      fullAsked: this.#fullAsked,
      source,
      store: parts.store,
      workspace,
      latest,
      signal: this.#cancellation.signal,
      serviceTime: assembly.store.serviceTime(this.#clock.now()),
    });
  }

  async #stream({ assembly, workspace, parts }: Connected, opened: PlannedExport): Promise<StreamedRun> {
    const { store } = assembly;
    const { slices } = this.#request;
    if (slices) {
      store.patienceMs = undefined;
      const { mapping, files } = opened;
      return slices.stage({ activation: this.#activation, assembly, store: parts.store, mapping, files });
    }
    const arrived = new ArrivedRows(() => {
      // What was read is worth waiting for.
      store.patienceMs = undefined;
    });
    const streamed = await streamRun({
      activation: this.#activation,
      record: this.#record,
      opened,
      assembly,
      store: parts.store,
      workspace,
      signal: this.#cancellation.signal,
      arrived,
      plans: this.#request.plans === true,
      clean: this.#request.clean,
      onReading: sink => this.#progress.reading(arrived, sink),
      onOpened: release => this.#releases.push(release),
    });
    store.patienceMs = undefined;
    return streamed;
  }

  #passGates({ known, compares }: BaselinePlan): RunWarning[] | Held {
    const { allowRemovals = false } = this.#request;
    const { counts } = this.#record;
    const fullAsked = this.#fullAsked;
    return passGates({ activation: this.#activation, counts, known, compares, fullAsked, allowRemovals });
  }

  async #succeed({ workspace }: Connected): Promise<undefined> {
    const { endedAt = this.#clock.now().toISOString() } = this.#record;
    const ended = succeeded(this.#record, endedAt);
    const tookMs = Date.parse(endedAt) - this.#beganAt.getTime();
    this.#record = warned(ended, await lateWarnings(this.#activation, ended, tookMs));
    try {
      await workspace.remember(this.#record);
    } catch (error) {
      // The decision is still in the journal: the next attempt finds the run published,
      // and records it.
      if (!(error instanceof SluiceError) || this.#request.record) throw error;
      // The run is published whether or not its record can be kept: to call it failed
      // would be wrong.
      this.#record = warned(this.#record, [{ code: 'RECORD_NOT_KEPT', message: error.message }]);
    }
  }

  #hold(reason: Held): Promise<void> {
    return this.#end((record, endedAt) => held(record, reason, endedAt));
  }

  async #fail(error: SluiceError): Promise<void> {
    if (error.code === 'CHANGE_DETECTION_MISMATCH')
      await this.#workspace?.baseline.distrust(error.message).catch(() => {});
    await this.#end((record, endedAt) => failed(record, error, endedAt));
  }

  async #end(ended: (record: RunRecord, endedAt: string) => RunRecord): Promise<void> {
    this.#cancellation.stop();
    const now = this.#clock.now();
    const slow = slowRunWarning(this.#activation, now.getTime() - this.#beganAt.getTime());
    this.#record = ended(warned(this.#record, slow ? [slow] : []), now.toISOString());
    // How the run ended is reported, whether or not that can be kept.
    if (!this.#request.record) await this.#workspace?.remember(this.#record).catch(() => {});
  }

  /** After everything else: the run is what it is. */
  async keepHouse(): Promise<RunRecord> {
    if (this.#connected === undefined || this.#request.plans) return this.#record;
    const { workspace, parts } = this.#connected;
    const own = isSuccess(this.#record) && this.#record.generation > 0 ? [this.#record] : [];
    const warnings = await keepHouse({
      activation: this.#activation,
      store: parts.store,
      journal: parts.journal,
      published: own.length > 0 ? [...this.recovered, ...own] : [],
      now: this.#clock.now(),
      prunesHistory: this.#request.record === undefined || this.#request.slices !== undefined,
    });
    if (warnings.length === 0) return this.#record;
    this.#record = warned(this.#record, warnings);
    await workspace.remember(this.#record).catch(() => {});
    return this.#record;
  }

  async release(): Promise<void> {
    this.#cancellation.ignore();
    for (const release of this.#releases.reverse()) await release().catch(() => {});
  }
}
