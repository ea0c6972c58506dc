import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import type { FileName } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import { decided, warned } from '../history/record-steps.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { StagedFile } from '../sinks/sink.ts';
import type { AppendedFiles } from './append/appended-files.ts';
import type { BaselinePlan } from './baseline-plan.ts';
import { decideCompletion } from './completion.ts';
import { decideFiles, toRunFile } from './decide-files.ts';
import type { DecidedManifest, Decision } from './decision.ts';
import { type LatestManifest, readLatest } from './latest-manifest.ts';
import { type ManifestColumn, manifestNames, manifestOf, publishedBaseline } from './manifest.ts';
import { readDecision } from './read-decision.ts';
import { ReplacedFiles } from './replaced-files.ts';
import { type ApplicableBaseline, type CommitParts, rollForward } from './roll-forward.ts';
import { findStaleParts } from './stale-parts.ts';

/**
 * How a run becomes visible, exactly once: stage everything, decide once on local disk,
 * then only roll forward.
 *
 *   state        verb      what becomes durable                    a crash after it
 *   OPEN         begin     intent.json                             drops the run
 *   STREAMING    orDrop    staged blocks, delta.log                drops the run
 *   SEALED       orDrop    delta.log, complete; the end of data    drops the run
 *                          is proven
 *   PREPARED     publish   commit.json                             rolls forward from here
 *   PUBLISHING   publish   files by one conditional commit each,   looks at each, commits
 *                          and completion files                    what is missing
 *   PUBLISHED    publish   manifest, then latest.json by           looks, writes the rest
 *                          compare-and-swap
 *   APPLIED      publish   the baseline at the new generation      changes nothing
 *   CLEAN        publish   stale parts are deleted,                deletes the rest
 *                forget    the journal's folder is gone
 *
 * The verbs are here. What `publish` shares with recovery is in roll-forward.ts. Both
 * speak to disk, store, baseline and clock through interfaces only, so that a simulator
 * can put a crash between any two of their steps.
 */
export interface ProtocolParts extends CommitParts {
  readonly baseline: ProtocolBaseline;
  /** Whose it is, where there is one for each set of parameter values. */
  readonly set?: string | undefined;
  /** Gives the baseline of another set, for a decided run of it. */
  readonly withBaselineOf: <T>(
    set: string | undefined,
    act: (baseline: ApplicableBaseline) => Promise<T>,
  ) => Promise<T>;
  readonly history: KeptRecords;
  /** Where files go; a decision is only ever finished where it was made for. */
  readonly target: string;
}

export interface ProtocolBaseline extends ApplicableBaseline {
  /** Housekeeping after a run. */
  compact(): Promise<void>;
}

/** Where the records of runs are kept. */
export interface KeptRecords {
  /** A rejection leaves the decision of the run to the next start, as a crash would. */
  remember(record: RunRecord): Promise<void>;
}

export interface RunPlan extends BaselinePlan {
  readonly columns: readonly ManifestColumn[];
  readonly snapshotTime: string;
  readonly fileName: FileName;
}

export interface PlannedRun {
  readonly run: string;
  readonly activation: ResolvedActivation;
  readonly contentType: string;
  readonly plan: RunPlan;
  /** What the plan was made by. */
  readonly latest: LatestManifest;
}

export interface SealedRun {
  readonly staged: readonly StagedFile[];
  /** The baseline to come; absent for runs without one. */
  readonly baseline: BaselineState | undefined;
  /** The files that rows were appended to; absent where the run began its files. */
  readonly found?: AppendedFiles | undefined;
}

/** The protocol of one activation, whose state this process has open. */
export class RunProtocol {
  readonly #parts: ProtocolParts;
  /** Earlier runs that had been decided, and were finished on opening. */
  readonly recovered: readonly RunRecord[];

  private constructor(parts: ProtocolParts, recovered: readonly RunRecord[]) {
    this.#parts = parts;
    this.recovered = recovered;
  }

  /**
   * Finishes or drops what an earlier process left behind. `baseline` stands in for that
   * of the parts meanwhile.
   */
  static async open(
    parts: ProtocolParts,
    { baseline }: Pick<ProtocolParts, 'baseline'> = parts,
  ): Promise<RunProtocol> {
    return new RunProtocol(parts, await recover({ ...parts, baseline }));
  }

  /** What a run is planned by. */
  latest(activation: ResolvedActivation): Promise<LatestManifest> {
    return readLatest(activation, this.#parts.store);
  }

  /** OPEN. A rejection leaves nothing of the run. */
  async begin(planned: PlannedRun): Promise<OpenRun> {
    const { journal } = this.#parts;
    const { run, activation, plan } = planned;
    const open = new OpenRun(planned, this.#parts);
    return open.orDrop(async () => {
      await journal.create(run);
      await journal.write(run, 'intent.json', { activation: activation.name, generation: plan.generation });
      return open;
    });
  }
}

/** A run that has begun, up to its end. */
export class OpenRun {
  readonly #planned: PlannedRun;
  readonly #parts: ProtocolParts;

  constructor(planned: PlannedRun, parts: ProtocolParts) {
    this.#planned = planned;
    this.#parts = parts;
  }

  /** For all that comes before `publish`: a rejection leaves nothing of the run. */
  async orDrop<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  /** Gives the run up, unless it is decided. Never rejects. */
  async drop(): Promise<void> {
    const { run } = this.#planned;
    const { journal } = this.#parts;
    try {
      // The write of commit.json may have failed after it took effect (a failed sync of
      // its folder): then the run is decided as far as the next start can tell, and must
      // not be dropped behind its back.
      if ((await journal.read(run, 'commit.json')) === undefined) await journal.remove(run);
    } catch {
      // The next start finds a run without a decision and drops it then.
    }
  }

  /**
   * Looks at what the run replaces, and says all that publishing it takes. Nothing is
   * durable yet. Call it when all blocks are acknowledged, the end of data is proven, the
   * delta log is durable and the gates are passed.
   */
  async decide(record: RunRecord, { staged, found, baseline }: SealedRun): Promise<Decision> {
    const { store, baseline: present, target } = this.#parts;
    const { run, activation, contentType, plan, latest } = this.#planned;
    const { generation, previousGeneration, full, fileName } = plan;
    const { parameterSet: set } = activation;
    const replaced = new ReplacedFiles({ activation, run, full, previousGeneration });
    const files = await decideFiles({
      activation,
      run,
      generation,
      full,
      replaced,
      staged,
      contentType,
      store,
      columns: plan.columns,
      found,
    });
    const stale = await findStaleParts({
      activation,
      fileName,
      full,
      previous: latest.manifest,
      staged,
      store,
      found,
      state: present.state,
      replaced,
    });
    const made: RunRecord = {
      ...decided(record),
      files: staged.map(file => toRunFile(file, activation.partitionBy)),
    };
    const completion = await decideCompletion({
      activation,
      record: made,
      fileName,
      stale: stale.map(({ name }) => name),
      replaced,
      store,
    });
    replaced.refuse();
    const published: RunRecord = {
      ...warned(made, replaced.warnings),
      ...(completion && { completion: completion.files.map(({ name }) => name) }),
    };
    return {
      version: 1,
      record: published,
      target,
      files,
      manifest: activation.manifest ? this.#manifestOf(published, baseline) : undefined,
      ...(completion && { completion }),
      baseline: baseline && { next: baseline, replace: plan.replacesBaseline, ...(set && { set: set.name }) },
      stale,
    };
  }

  #manifestOf(record: RunRecord, baseline: BaselineState | undefined): DecidedManifest {
    const { run, activation, plan, latest } = this.#planned;
    const { destination, name, format, parameterSet } = activation;
    const set = parameterSet?.name;
    const known = baseline
      ? { generation: plan.generation, run, keys: baseline.count }
      : latest.manifest && publishedBaseline(latest.manifest, set);
    return {
      names: manifestNames(destination.folder, name, { run, set }),
      latest: latest.condition,
      content: manifestOf(record, { format, plan, baseline: known, set }),
    };
  }

  /**
   * PREPARED to APPLIED: the decision becomes durable and is rolled forward. A rejection
   * leaves either nothing of the run, or a decision that the next start finishes.
   */
  async publish(decision: Decision): Promise<RunRecord> {
    const { journal } = this.#parts;
    await this.orDrop(() => journal.write(this.#planned.run, 'commit.json', decision));
    return rollForward(decision, this.#parts, { looksFirst: false });
  }

  /**
   * CLEAN. Call it when the record of the run is kept, so that a crash does not take
   * both. The run is done whether or not it can be tidied up after: the next start, or
   * the next run, does it then.
   */
  async forget(): Promise<void> {
    const { journal, baseline } = this.#parts;
    await attemptTidying(() => journal.remove(this.#planned.run));
    await attemptTidying(() => baseline.compact());
  }
}

async function attemptTidying(tidy: () => Promise<void>): Promise<void> {
  try {
    await tidy();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
  }
}

/** Returns the runs that were finished. */
async function recover(parts: ProtocolParts): Promise<RunRecord[]> {
  const { journal, history, target } = parts;
  const finished: RunRecord[] = [];
  for (const run of await journal.list()) {
    const decision = await readDecision(journal, run);
    if (decision === undefined) {
      await journal.remove(run);
      continue;
    }
    if (decision.target !== target) {
      const message = `run ${run} was decided for ${decision.target}, but the destination now is ${target}`;
      throw new SluiceError('STATE_STALE', message, {
        stage: 'state',
        hint: 'restore the destination until that run is finished; or `sluice state reset NAME --abandon` gives it up, also where files of it are published already',
      });
    }
    // Its write may have failed after it took effect, before its folder was synced: what
    // is published must outlive it.
    await journal.write(run, 'commit.json', decision);
    const finish = (baseline: ApplicableBaseline): Promise<RunRecord> =>
      rollForward(decision, { ...parts, baseline }, { looksFirst: true });
    const set = decision.baseline?.set;
    const isOwn = decision.baseline === undefined || set === parts.set;
    const done = await (isOwn ? finish(parts.baseline) : parts.withBaselineOf(set, finish));
    const record: RunRecord = { ...done, state: 'recovered' };
    await history.remember(record);
    // Must succeed: a decision that is left behind would be taken up again after later
    // runs.
    await journal.remove(run);
    finished.push(record);
  }
  return finished;
}
