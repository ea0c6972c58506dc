import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { type FileName, fileKind } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import type { ChangeDetection, RunCounts, RunRecord, RunWarning } from '../history/run-record.ts';
import type { StagedFile } from '../sinks/sink.ts';
import type { AppendedParts } from './appended-parts.ts';
import type { BaselinePlan } from './baseline-plan.ts';
import { decideCompletion } from './completion.ts';
import { decideFiles, toRunFile } from './decide-files.ts';
import type { Decision } from './decision.ts';
import type { Journal } from './journal.ts';
import { type LatestManifest, readLatest } from './latest-manifest.ts';
import { type Manifest, type ManifestColumn, manifestNames, publishedBaseline } from './manifest.ts';
import { readDecision } from './read-decision.ts';
import { ReplacedFiles } from './replaced-files.ts';
import { type ApplicableBaseline, type CommitParts, rollForward } from './roll-forward.ts';
import { findStaleParts } from './stale-parts.ts';

/**
 * How a run becomes visible, exactly once: stage everything, decide once on local disk,
 * then only roll forward.
 *
 *   state        what becomes durable                             a crash after it
 *   OPEN         intent.json                                      drops the run
 *   STREAMING    staged blocks, delta.log                         drops the run
 *   SEALED       delta.log, complete; the end of data is proven   drops the run
 *   PREPARED     commit.json                                      rolls forward from here
 *   PUBLISHING   files by one conditional commit each,            looks at each, commits
 *                and completion files                             what is missing
 *   PUBLISHED    manifest, then latest.json by compare-and-swap   looks, writes the rest
 *   APPLIED      the baseline at the new generation               changes nothing
 *   CLEAN        stale parts deleted, the journal's folder gone
 *
 * The first half is here; the second, which recovery shares, is in roll-forward.ts. Both
 * speak to disk, store, baseline and clock through interfaces only, so that a simulator
 * can put a crash between any two of their steps.
 */
export interface ProtocolParts extends CommitParts {
  readonly baseline: ProtocolBaseline;
  /** Account and container; a decision is only ever finished where it was made for. */
  readonly target: string;
}

export interface ProtocolBaseline extends ApplicableBaseline {
  /** Housekeeping after a run. */
  compact(): Promise<void>;
}

/** What is particular to a run: how it is planned and where its rows come from. */
export interface RunSteps {
  readonly activation: ResolvedActivation;
  readonly record: RunRecord;
  readonly contentType: string;
  /** OPEN: decides between all rows and changes, by what was published last. */
  plan(latest: LatestManifest): Promise<RunPlan>;
  /**
   * STREAMING to SEALED: all blocks acknowledged, the end of data proven, the delta log
   * durable, the gates passed.
   */
  stream(plan: RunPlan): Promise<SealedRun>;
  /** PREPARED: the last moment at which the run can be dropped. Throws to drop it. */
  beforeDecision(): void;
}

/**
 * Keeps the record of a run that is done. A rejection leaves its decision to the next
 * start, as a crash would.
 */
export type RememberRun = (record: RunRecord) => Promise<void>;

export interface RunPlan extends BaselinePlan {
  readonly columns: readonly ManifestColumn[];
  readonly snapshotTime: string;
  readonly fileName: FileName;
}

export interface SealedRun {
  readonly staged: readonly StagedFile[];
  readonly counts: RunCounts;
  /** The baseline to come; absent for runs without one. */
  readonly baseline: BaselineState | undefined;
  readonly warnings: readonly RunWarning[];
  readonly changeDetection?: ChangeDetection;
  /**
   * The parts of the file that rows were appended to; absent where the run began its
   * files.
   */
  readonly found?: AppendedParts | undefined;
}

/**
 * One run, from OPEN to CLEAN. A rejection leaves either nothing of the run, or a
 * decision that `recover` finishes.
 */
export async function exportOnce(
  steps: RunSteps,
  parts: ProtocolParts,
  remember: RememberRun,
): Promise<RunRecord> {
  const { store, journal, baseline, target } = parts;
  const { activation } = steps;
  const { run } = steps.record;
  const { folder } = activation.destination;
  const names = manifestNames(folder, activation.name, run);
  const latest = await readLatest(activation, store);
  const { manifest: previous } = latest;
  const plan = await steps.plan(latest);

  let decision: Decision;
  try {
    await journal.create(run);
    await journal.write(run, 'intent.json', { activation: activation.name, generation: plan.generation });
    const sealed = await steps.stream(plan);
    const { contentType } = steps;
    const { generation, previousGeneration, full, snapshotTime, fileName } = plan;
    const replaced = new ReplacedFiles({ activation, run, full, previousGeneration });
    const files = await decideFiles({
      activation,
      run,
      generation,
      full,
      replaced,
      staged: sealed.staged,
      contentType,
      store,
      columns: plan.columns,
      since: sealed.found?.since,
    });
    const stale = await findStaleParts({
      activation,
      fileName,
      previous,
      staged: sealed.staged,
      store,
      found: sealed.found,
      state: baseline.state,
      replaced,
    });
    const made: RunRecord = {
      ...steps.record,
      state: 'publishing',
      full,
      generation,
      previousGeneration,
      snapshotTime,
      ...(sealed.changeDetection && { changeDetection: sealed.changeDetection }),
      counts: sealed.counts,
      files: sealed.staged.map(toRunFile),
      warnings: [...plan.warnings, ...sealed.warnings],
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
    const record: RunRecord = {
      ...made,
      ...(completion && { completion: completion.files.map(({ name }) => name) }),
      warnings: [...made.warnings, ...replaced.warnings],
    };
    const baselineKnown = sealed.baseline
      ? { generation, run, keys: sealed.baseline.count }
      : previous && publishedBaseline(previous);
    decision = {
      version: 1,
      record,
      target,
      files,
      manifest: activation.manifest
        ? {
            names,
            latest: latest.condition,
            content: manifestOf(record, activation.format, plan, baselineKnown),
          }
        : undefined,
      ...(completion && { completion }),
      baseline: sealed.baseline && { next: sealed.baseline, replace: plan.replacesBaseline },
      stale,
    };
    steps.beforeDecision();
    await journal.write(run, 'commit.json', decision);
  } catch (error) {
    // Should this fail too, the next start finds a run without a decision and drops it
    // then.
    await dropUndecided(journal, run);
    throw error;
  }
  const record = await rollForward(decision, parts, { looksFirst: false });
  // Before the journal forgets the run, so that a crash does not take both.
  await remember(record);
  await attemptTidying(() => journal.remove(run));
  await attemptTidying(() => baseline.compact());
  return record;
}

/**
 * The run is done whether or not it can be tidied up after: the next start, or the next
 * run, does it then.
 */
async function attemptTidying(tidy: () => Promise<void>): Promise<void> {
  try {
    await tidy();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
  }
}

/**
 * Finishes or drops what an earlier process left behind. Returns the runs that were
 * finished.
 */
export async function recover(parts: ProtocolParts, remember: RememberRun): Promise<RunRecord[]> {
  const { journal, target } = parts;
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
    const record: RunRecord = {
      ...(await rollForward(decision, parts, { looksFirst: true })),
      state: 'recovered',
    };
    await remember(record);
    // Must succeed: a decision that is left behind would be taken up again after later
    // runs.
    await journal.remove(run);
    finished.push(record);
  }
  return finished;
}

/**
 * The write of commit.json may have failed after it took effect (a failed sync of its
 * folder): then the run is decided as far as the next start can tell, and must not be
 * dropped behind its back.
 */
async function dropUndecided(journal: Journal, run: string): Promise<void> {
  try {
    if ((await journal.read(run, 'commit.json')) === undefined) await journal.remove(run);
  } catch {
    // The error that brought us here says more.
  }
}

function manifestOf(
  record: RunRecord,
  format: Manifest['format'],
  { columns, snapshotTime, position }: RunPlan,
  baseline: Manifest['baseline'],
): Manifest {
  // One by one: a record may hold more, such as how a daemon came to make the run, which
  // is not for consumers.
  const { run, activation, trigger, runType, syncMode, full, generation, previousGeneration } = record;
  const { startedAt, counts, changeDetection, files, completion, warnings } = record;
  return {
    version: 1,
    run,
    activation,
    trigger,
    runType,
    syncMode,
    full,
    kind: fileKind(full),
    generation,
    previousGeneration,
    startedAt,
    ...(changeDetection && { changeDetection }),
    counts,
    files,
    ...(completion && { completion }),
    warnings,
    snapshotTime,
    endedAt: snapshotTime,
    ...(position && { position }),
    ...(baseline && { baseline }),
    format,
    columns,
  };
}
