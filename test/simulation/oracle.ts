import { describeDifference, misfit, rowsOf, union } from './published-rows.ts';
import type {
  Chain,
  FinishedRun,
  Published,
  PublishedFile,
  RunFacts,
  StagedName,
  Subject,
} from './run-facts.ts';
import type { BlobEvent, Version, VirtualContainer } from './virtual-container.ts';
import { WEEK_MS } from './virtual-container.ts';
import type { Rows, VirtualDisk } from './virtual-disk.ts';
import type { World } from './world.ts';

/**
 * What must be true whatever happens, told from three things only: what each run saw of
 * the source, what became of the blobs, and what the baseline on disk holds. It knows the
 * format of manifests and nothing of how the protocol works.
 */

const NO_ROWS: Rows = new Map();

export class Oracle {
  /** The first thing that was found wrong. */
  violation: string | undefined;
  readonly #world: World;
  readonly #runs = new Map<string, RunFacts>();
  readonly #chains = new Map<string, Chain>();
  readonly #chainOfLatest = new Map<string, Chain>();
  readonly #completions = new Set<string>();
  /** Changes of a blob, newest last, by name. */
  readonly #history = new Map<
    string,
    { readonly step: number; readonly by: string; readonly before: Version | undefined }[]
  >();
  #container: VirtualContainer | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  watch(container: VirtualContainer, subjects: readonly Subject[]): void {
    this.#container = container;
    for (const subject of subjects) {
      const chain: Chain = {
        subject,
        last: undefined,
        newest: undefined,
        held: NO_ROWS,
        lost: false,
        wasLost: false,
        cameBack: false,
        lastFull: undefined,
        newestFull: undefined,
        spoiledStep: -1,
        taken: [],
      };
      this.#chains.set(subject.name, chain);
      if (subject.completion !== undefined) this.#completions.add(subject.completion);
      if (subject.manifest) this.#chainOfLatest.set(subject.latest, chain);
    }
  }

  violate(what: string): void {
    if (this.violation !== undefined) return;
    this.violation = what;
    this.#world.note(`VIOLATION: ${what}`);
  }

  // What the simulation tells.

  read(
    subject: string,
    run: string,
    plan: { readonly generation: number; readonly previousGeneration: number; readonly full: boolean },
    { source, known, seen, startedStep }: Pick<RunFacts, 'source' | 'known' | 'seen' | 'startedStep'>,
  ): void {
    const { generation, previousGeneration, full } = plan;
    const chain = this.#chains.get(subject)!;
    this.#runs.set(run, {
      run,
      chain,
      source,
      known,
      generation,
      previousGeneration,
      full,
      held: undefined,
      names: [],
      staged: new Map(),
      startedStep,
      startedMs: this.#world.milliseconds,
      decided: false,
      removedStep: undefined,
      refused: false,
      refusedNames: new Set(),
      applied: false,
      published: false,
      noted: false,
      forgotten: false,
      committed: new Map(),
      completeStep: undefined,
      takenBackStep: undefined,
      replaced: new Set(),
      seen,
    });
  }

  staged(run: string, files: readonly StagedName[]): void {
    const facts = this.#runs.get(run)!;
    facts.names = files.map(({ name }) => name);
    facts.staged = new Map(files.map(file => [file.name, file]));
    if (facts.staged.size !== files.length) this.violate(`${run} has one name for two files`);
  }

  noted(run: string): void {
    this.#runs.get(run)!.noted = true;
  }

  /** A file of the run was refused for good. */
  refused(run: string, name: string): void {
    const facts = this.#runs.get(run)!;
    facts.refused = true;
    facts.refusedNames.add(name);
  }

  /** A file of the run was not allowed to go. */
  refusedDelete(run: string, name: string): void {
    this.#runs.get(run)?.refusedNames.add(name);
  }

  /** What a run still has to do can be done. */
  refusalsEnd(): void {
    for (const { removedStep, refusedNames } of this.#runs.values())
      if (removedStep === undefined) refusedNames.clear();
  }

  decided(run: string): void {
    const facts = this.#runs.get(run)!;
    facts.decided = true;
    // A power cut has brought a decision back whose removal was not durable.
    facts.removedStep = undefined;
  }

  /**
   * The decision of a run is about to be removed, by a process that was shown these
   * ETags.
   */
  removed(run: string, isRemembered: boolean, seen: ReadonlySet<string>): void {
    const facts = this.#runs.get(run)!;
    facts.removedStep ??= this.#world.step;
    this.#publishNothing(facts);
    if (this.#mayBeDropped(facts)) {
      const { chain } = facts;
      const latest = this.#container!.blobs.get(chain.subject.latest);
      // It arrived after the process had looked for it.
      if (chain.last === facts && latest && !seen.has(latest.etag)) chain.cameBack = true;
      return;
    }
    if (!facts.published && facts.refused) this.#checkNothingVisible(facts);
    else if (!facts.published) this.violate(`${run} was decided, and is dropped`);
    else if (!isRemembered) this.violate(`${run} is published, and its record is not kept`);
  }

  /** A run whose file is refused may be withdrawn as long as nobody can see any of it. */
  #checkNothingVisible({ run, staged }: RunFacts): void {
    for (const { name, bytes } of staged.values()) {
      const blob = this.#container!.blobs.get(name);
      // It arrived after the process had looked for it.
      if (blob?.step === this.#world.step) continue;
      if (blob?.metadata['run'] === run && blob.bytes.length === bytes)
        this.violate(`${run} is withdrawn, and ${name} of it is visible`);
    }
  }

  /** The disk forgets: an earlier state was put back, or the state was reset. */
  forgotten(subject: string): void {
    for (const facts of this.#runs.values()) {
      if (facts.chain.subject.name === subject) facts.forgotten = true;
    }
  }

  /**
   * Whether a consumer may take the run's files away: where it sees no manifest, once the
   * run is known to be done.
   */
  mayBeTaken(run: string): boolean {
    const facts = this.#runs.get(run);
    if (facts === undefined) return false;
    return facts.applied || facts.noted || (facts.chain.subject.manifest && facts.held !== undefined);
  }

  /**
   * Whether others than the protocol have left nothing of what was published since every
   * row was written.
   */
  areAllTaken(subject: string): boolean {
    const chain = this.#chains.get(subject)!;
    if (chain.taken.length === 0 && chain.spoiledStep < 0) return false;
    return !this.#filesOf(chain).some(file => this.#withoutWaitingRows(file).length > 0);
  }

  /**
   * Whether a request of long ago wrote the blob, when its run was over, or the disk knew
   * no more of it.
   */
  cameLate({ metadata, step }: Version): boolean {
    const { removedStep, forgotten = false } = this.#runs.get(metadata['run'] ?? '') ?? {};
    return forgotten || (removedStep !== undefined && step >= removedStep);
  }

  /** Whether another writer ever deleted or replaced the subject's `latest.json`. */
  wasLost(subject: string): boolean {
    return this.#chains.get(subject)!.wasLost;
  }

  /**
   * Whether, after another writer's interference, a late request of ours wrote a
   * `latest.json` that was given up.
   */
  cameBack(subject: string): boolean {
    return this.#chains.get(subject)!.cameBack;
  }

  /** The protocol said that the run is done. */
  finished({ run, warnings }: FinishedRun, disk: VirtualDisk): void {
    const facts = this.#runs.get(run);
    if (facts === undefined) {
      this.violate(`${run} is called finished, and nobody ever started it`);
      return;
    }
    const { subject } = facts.chain;
    this.#publishNothing(facts);
    const [replaced] = facts.replaced;
    if (replaced !== undefined && !warnings.some(({ code }) => code === 'DELTA_OVERWRITTEN'))
      this.violate(`${run} replaced ${replaced} without a word`);
    if (!facts.published) this.violate(`${run} is called finished, and was not published`);
    const { completion } = subject;
    if (completion && !this.#history.get(completion)?.some(({ by }) => by === run))
      this.violate(`${run} is called finished, and never was called complete`);
    if (subject.keepsState && disk.baseline?.state.run !== run) {
      this.violate(`${run} is called finished, and the baseline is of ${disk.baseline?.state.run}`);
    }
    // The next run finds the destination reset.
    const lost = this.#changesSince(subject.latest, facts.startedStep).some(({ by }) => by === 'foreign');
    // A run without a baseline that latest.json does not name says so.
    const isUnlisted = !subject.keepsState && warnings.some(({ code }) => code === 'RECORD_NOT_KEPT');
    if (facts.chain.last !== facts && !isUnlisted && !lost && !facts.chain.cameBack && !facts.forgotten) {
      this.violate(`${run} is called finished, and ${facts.chain.last?.run} is the latest`);
    }
    this.#checkFile(facts.chain);
  }

  /**
   * The protocol said that the run failed, and the process lives: it left nothing, or a
   * decision.
   */
  failed(run: string, disk: VirtualDisk): void {
    const facts = this.#runs.get(run);
    if (facts === undefined) return;
    if (disk.folders.get(run)?.files.has('commit.json')) return;
    if (facts.published) this.violate(`${run} is called failed for good, and it is published`);
    // A run that was to begin the file again cannot bring back what it has overwritten.
    else if (facts.decided && !facts.full)
      this.#checkFile(facts.chain, blob => this.#withoutWaitingRows(blob));
  }

  /** A consumer has archived the file, to which nothing can be added any more. */
  archived(before: Version): void {
    const changes = this.#history.get(before.name) ?? [];
    this.#history.set(before.name, [...changes, { step: this.#world.step, by: 'consumer', before }]);
  }

  // What the container tells.

  readonly onEvent = (event: BlobEvent): void => {
    const { name, before, after, by } = event;
    const run = after?.metadata['run'];
    const changes = this.#history.get(name) ?? [];
    this.#history.set(name, changes);
    // A run that deletes what it had written itself has no excuse by that.
    const writer = by === 'sluice' ? (run ?? before?.metadata['run'] ?? by) : by;
    changes.push({ step: this.#world.step, by: writer, before });

    if (this.#completions.has(name)) {
      if (by === 'sluice' && after !== undefined) this.#completed(after);
      return;
    }
    const chain = this.#chainOfLatest.get(name);
    this.#noteSpoiled(event);
    if (by === 'foreign') {
      if (chain?.last) chain.lost = chain.wasLost = true;
      return;
    }
    if (by === 'consumer') {
      if (before) this.#chains.get(before.metadata['sluice'] ?? '')?.taken.push(before);
      return;
    }
    this.#checkKept(event);
    if (after === undefined) {
      if (before?.by === 'foreign') this.violate(`${name} of another writer was deleted`);
      const owner = this.#runs.get(before?.metadata['run'] ?? '');
      if (owner?.published && owner.chain.newest === owner && !this.#mayBeDropped(owner)) {
        this.violate(`${name} was deleted, and ${owner.run} is what a consumer should have`);
      }
      return;
    }
    // Manifests have no metadata.
    const isManifest = run === undefined;
    const published = chain && (JSON.parse(after.bytes.toString()) as Published);
    const facts = this.#runs.get(run ?? published?.run ?? runOfName(name));
    if (facts === undefined) {
      this.violate(`${name} was written by a run that nobody started`);
      return;
    }
    if (before?.by === 'foreign' && !facts.seen.has(before.etag)) {
      this.violate(`${name} of another writer was overwritten by ${facts.run}, which had not seen it`);
    }
    if (!isManifest) this.#committed(facts, after);
    else if (published) this.#publishLatest(facts, published);
    else this.#remember(facts);
  };

  /**
   * What was published in a file that runs append to goes only when every row is written
   * again, and so does its name.
   */
  #checkKept({ name, before, after }: BlobEvent): void {
    const by = this.#runs.get(after?.metadata['run'] ?? '');
    const owner = this.#runs.get(before?.metadata['run'] ?? '');
    // A run that an old disk was put back over, before latest.json named it, looks as one
    // that was withdrawn; and one is that another writer destroyed before that.
    const isWithdrawn = owner?.removedStep !== undefined && owner.held === undefined;
    const isUnknown = (owner?.forgotten || isWithdrawn) && owner.chain.last !== owner;
    if (by && owner && owner !== by && owner.published && !isUnknown && !(by.full && owner.full)) {
      if (by.full || !by.chain.subject.appends) by.replaced.add(name);
    }
    if (by?.full || by?.forgotten) return;
    // What a full run has written again may go, also where another writer keeps that run
    // out of latest.json.
    const begun = owner?.chain.newestFull?.startedStep ?? 0;
    if (owner?.published && !isUnknown && owner.chain.subject.appends && owner.startedStep >= begun) {
      const left = new Set((after ? rowsOf(after) : []).map(([key]) => key));
      const gone = rowsOf(before!).find(([key]) => !left.has(key));
      if (gone) this.violate(`key ${gone[0]} was published in ${name}, and is destroyed`);
    }
    if (by === undefined || !by.chain.subject.appends || before !== undefined) return;
    const read = this.#filesOf(by.chain, by.chain.taken).find(file => file.name === name);
    if (read && rowsOf(read).length > 0 && rowsOf(after!).length > 0)
      this.violate(`${name} was taken away with rows of its own, and ${by.run} gives it to others`);
  }

  /** Those of the file that the last run began which wrote every row. */
  #filesOf(
    { subject, lastFull }: Chain,
    files: Iterable<Version> = this.#container!.blobs.values(),
  ): Version[] {
    return [...files].filter(({ metadata }) => {
      if (metadata['sluice'] !== subject.name) return false;
      const writer = this.#runs.get(metadata['run'] ?? '');
      return writer === undefined || writer.startedStep >= (lastFull?.startedStep ?? 0);
    });
  }

  /** A run says that all of its files are in place. */
  #completed(after: Version): void {
    const facts = this.#runs.get(after.metadata['run'] ?? '');
    if (facts === undefined) this.violate(`${after.name} was written by a run that nobody started`);
    // Nobody can stop a late request of a run that is over.
    else if (!this.cameLate(after) && !wasComplete(facts, after.sentStep)) {
      const missing = facts.names.find(name => !facts.committed.has(name));
      if (missing) this.violate(`${after.name} says that ${facts.run} is complete, without ${missing}`);
    }
  }

  /** No file of a run is published while an earlier one is said to be complete. */
  #checkIncomplete({ run, chain, published, removedStep, forgotten }: RunFacts): void {
    const { completion, surelyDeletes } = chain.subject;
    const there = this.#container!.blobs.get(completion ?? '');
    if (there?.by !== 'sluice' || !surelyDeletes || published || removedStep !== undefined || forgotten)
      return;
    if (there.metadata['run'] !== run && !this.cameLate(there))
      this.violate(`${run} publishes a file, and ${completion} of ${there.metadata['run']} stands`);
  }

  #committed(facts: RunFacts, after: Version): void {
    facts.committed.set(after.name, after);
    if (facts.names.every(name => facts.committed.has(name))) facts.completeStep ??= after.step;
    this.#checkIncomplete(facts);
    const staged = facts.staged.get(after.name);
    if (staged === undefined) this.violate(`${facts.run} wrote ${after.name}, which is none of its files`);
    else if (staged.bytes !== after.bytes.length) this.#takenBack(facts, after);
    // A late request of a run that was withdrawn: nobody can stop it any more, and no
    // manifest names the file.
    const isLate = facts.refused && facts.removedStep !== undefined;
    if (facts.chain.subject.manifest || facts.published || isLate) return;
    const files = facts.names.map(name => facts.committed.get(name));
    if (files.some(file => file === undefined)) return;
    const fromByte = ({ name }: Version): number => facts.staged.get(name)!.fromByte;
    this.#publish(
      facts,
      files.map(file => ({ version: file!, change: changeOf(file!.name), fromByte: fromByte(file!) })),
    );
  }

  /** The file again without what the run had added to it. */
  #takenBack(facts: RunFacts, { name }: Version): void {
    facts.committed.delete(name);
    facts.takenBackStep ??= this.#world.step;
    if (!facts.chain.subject.appends) this.violate(`${name} of ${facts.run} is not what was staged`);
    else if (facts.published && !this.#mayBeDropped(facts))
      this.violate(`${facts.run} is published, and takes ${name} back`);
  }

  #publishLatest(facts: RunFacts, published: Published): void {
    const { run, chain } = facts;
    const { generation, previousGeneration, full } = published;
    const expected = [facts.generation, facts.previousGeneration, facts.full].join();
    if ([generation, previousGeneration, full].join() !== expected) {
      this.violate(
        `the manifest of ${run} says ${[generation, previousGeneration, full].join()}, not ${expected}`,
      );
    }
    if (facts.held !== undefined) {
      // A late request, after somebody has deleted latest.json.
      if (!chain.lost) this.violate(`latest.json went back to ${run}`);
      chain.last = facts;
      chain.held = facts.held;
      chain.lost = false;
      chain.cameBack = true;
      return;
    }
    // Somebody had deleted its files or its manifest, or put an old state back, and it
    // was given up.
    if (facts.removedStep !== undefined || (facts.forgotten && chain.wasLost)) chain.cameBack = true;
    if (published.files.map(({ name }) => name).join() !== facts.names.join()) {
      this.violate(`the manifest of ${run} does not list its files`);
    }
    const files: PublishedFile[] = [];
    for (const { name, etag = '', bytes, change, appended } of published.files) {
      const version = this.#container!.versions.get(etag);
      if (version?.name !== name || version.metadata['run'] !== run || version.bytes.length !== bytes) {
        this.violate(`generation ${generation} of ${run} lists ${name} ${etag}, which is not its file`);
        continue;
      }
      if (this.#container!.blobs.get(name)?.etag !== etag && !facts.forgotten) {
        const changes = this.#changesSince(name, version.step);
        // The run was being withdrawn for what another writer had done, and its last
        // request arrived after all.
        const isOver = facts.removedStep !== undefined || changes.at(-1)?.by === run;
        const withdrawn = isOver && this.#mayBeDropped(facts);
        if (withdrawn) chain.cameBack = true;
        else if (!changes.some(({ by }) => by === 'foreign')) {
          this.violate(`generation ${generation} of ${run} is visible, and ${name} is not there`);
        }
      }
      files.push({ version, change, fromByte: appended?.fromByte ?? 0 });
    }
    this.#publish(facts, files);
  }

  #remember(facts: RunFacts): void {
    if (facts.published) return;
    facts.published = true;
    facts.chain.newest = facts;
    if (facts.full) facts.chain.newestFull = facts;
  }

  /** A run without files and without a manifest leaves no trace but its baseline. */
  #publishNothing(facts: RunFacts): void {
    const isNothing = !facts.chain.subject.manifest && facts.names.length === 0;
    if (isNothing && !facts.published) this.#publish(facts, []);
  }

  /** Applies a generation as a consumer would, and compares with what the run saw. */
  #publish(facts: RunFacts, files: readonly PublishedFile[]): void {
    const { run, chain, full, generation } = facts;
    const { last, subject } = chain;
    this.#remember(facts);
    // Without a manifest and without a baseline there is nothing that counts.
    const counts = subject.manifest || subject.keepsState;
    if (counts && last !== undefined && generation <= last.generation && !chain.lost) {
      this.violate(`the latest generation went from ${last.generation} to ${generation}`);
    }
    if (!full && (last === undefined || chain.lost))
      this.violate(`${run} is a delta, and nothing is before it`);
    if (!full && facts.previousGeneration !== last?.generation) {
      this.violate(
        `${run} is a delta to ${facts.previousGeneration}, and the one before is ${last?.generation}`,
      );
    }
    // A full run says what became of every row that its baseline knew.
    const held = new Map(full ? facts.known : chain.held);
    const keys = new Set<number>();
    for (const { version, change, fromByte } of files) {
      for (const [key, value] of rowsOf(version, fromByte)) {
        if (keys.has(key)) this.violate(`key ${key} is twice in generation ${generation} of ${run}`);
        keys.add(key);
        const isWritten = full && change !== 'removed';
        const wrong = isWritten ? undefined : misfit(change, held.get(key), value, subject.syncMode);
        if (wrong) this.violate(`generation ${generation} of ${run}: key ${key} ${wrong}`);
        if (change === 'removed') held.delete(key);
        else held.set(key, value);
      }
    }
    // `upsert` does not say which keys are gone: its consumer keeps them, and is told of
    // them again when they return.
    if (subject.syncMode === 'upsert')
      for (const key of held.keys()) if (!facts.source.has(key)) held.delete(key);
    const expected =
      subject.syncMode === 'insert' ? union(full ? NO_ROWS : chain.held, facts.source) : facts.source;
    const difference = describeDifference(held, expected);
    if (difference) this.violate(`after generation ${generation} of ${run} a consumer ${difference}`);
    facts.held = held;
    chain.held = held;
    chain.last = facts;
    chain.lost = false;
    if (full) chain.lastFull = facts;
  }

  #noteSpoiled({ name, before, after, by }: BlobEvent): void {
    const owner = (before ?? after)?.metadata['sluice'] ?? '';
    const chain = this.#chainOfLatest.get(name) ?? this.#chains.get(owner);
    if (chain && by === 'foreign') chain.spoiledStep = this.#world.step;
  }

  /**
   * The file that all runs append to, with what consumers have moved away, holds what a
   * consumer holds, each row once.
   */
  #checkFile(chain: Chain, rowsIn: (file: Version) => [number, number][] = rowsOf): void {
    const { subject, held, last, lastFull, spoiledStep } = chain;
    // What another writer has destroyed is there again once every row was written.
    if (
      !subject.appends ||
      !subject.hasOneFile ||
      last?.forgotten ||
      lastFull === undefined ||
      lastFull.startedStep <= spoiledStep
    )
      return;
    const rows = new Map<number, number>();
    // Without parts of an older file that could not be deleted.
    for (const blob of [...this.#filesOf(chain), ...this.#filesOf(chain, chain.taken)]) {
      for (const [key, value] of rowsIn(blob)) {
        if (rows.has(key)) this.violate(`key ${key} is twice in the file of ${subject.name}`);
        rows.set(key, value);
      }
    }
    const difference = describeDifference(rows, held);
    if (difference) this.violate(`the file of ${subject.name} ${difference}`);
  }

  /**
   * The rows of a file without those of a withdrawn run that stay for now: in a file that
   * the run may not write, in place of another writer's, or by a request that arrived
   * late. The next run takes the first back, as the run says, and writes the others
   * again.
   */
  #withoutWaitingRows(blob: Version): [number, number][] {
    const rows = rowsOf(blob);
    const { name, metadata } = blob;
    const writer = this.#runs.get(metadata['run'] ?? '');
    if (writer === undefined || writer.published) return rows;
    const changes = this.#history.get(name) ?? [];
    const wasOfAnother = changes.some(({ by, before }) => by === writer.run && before?.by === 'foreign');
    if (!wasOfAnother && !writer.refusedNames.has(name) && !this.cameLate(blob)) return rows;
    const own = rowsOf(blob, writer.staged.get(name)?.fromByte ?? 0);
    return rows.slice(0, rows.length - own.length);
  }

  // What is looked at between two starts.

  checkBaseline(subject: string, { baseline }: VirtualDisk): void {
    if (baseline === undefined) return;
    const { state, rows } = baseline;
    const facts = this.#runs.get(state.run)!;
    this.#publishNothing(facts);
    if (!facts.published)
      this.violate(`the baseline of ${subject} is of ${state.run}, which is not published`);
    facts.applied = true;
    const held = facts.held ?? rows;
    const difference = describeDifference(rows, held);
    if (difference) this.violate(`the baseline of ${subject} ${difference}`);
    if (state.generation !== facts.generation || state.count !== rows.size) {
      this.violate(`the baseline of ${subject} does not describe itself`);
    }
  }

  /**
   * When all is calm and a run has succeeded: nothing was lost and nothing is left over.
   */
  checkEnd(subject: string, source: Rows): void {
    const { last, lost } = this.#chains.get(subject)!;
    if (last === undefined || lost) {
      this.violate(`${subject} has nothing published after a success`);
      return;
    }
    const insert = last.chain.subject.syncMode === 'insert';
    for (const [key, value] of source) {
      if (!last.held?.has(key) || (!insert && last.held.get(key) !== value)) {
        this.violate(`key ${key} of ${subject} was lost`);
      }
    }
    this.#checkFile(this.#chains.get(subject)!);
    for (const facts of this.#runs.values()) {
      if (facts.chain.subject.name !== subject || !facts.decided || facts.published) continue;
      if (facts.removedStep === undefined && !facts.forgotten)
        this.violate(`${facts.run} was decided, and is lost`);
    }
    for (const blob of this.#container!.blobs.values()) {
      const facts = this.#runs.get(blob.metadata['run'] ?? '');
      if (facts?.chain.subject.name !== subject || facts.published) continue;
      if (!facts.decided) this.violate(`${blob.name} of ${facts.run} is visible, which was never decided`);
      else if (!this.#mayStay(facts, blob))
        this.violate(`${blob.name} of ${facts.run} is left, which was dropped`);
    }
  }

  /** Later parts of a fixed name that the run before had and this one has not. */
  checkStale({ run, warnings }: FinishedRun, before: readonly string[]): void {
    if (warnings.some(({ code }) => code === 'STALE_PARTS_LEFT')) return;
    for (const name of before) {
      const blob = this.#container!.blobs.get(name);
      if (blob?.by === 'sluice' && blob.metadata['run'] !== run)
        this.violate(`${name} is stale and was left by ${run}`);
    }
  }

  /** The files that `latest.json` lists. */
  latestNames(subject: string): readonly string[] {
    const { last, lost } = this.#chains.get(subject)!;
    return lost ? [] : (last?.names ?? []);
  }

  /**
   * "Where it cannot hold": blocks expired, another writer on the same name, the
   * container emptied, an old disk.
   */
  #mayBeDropped(facts: RunFacts): boolean {
    if (facts.forgotten || this.#world.milliseconds - facts.startedMs > WEEK_MS) return true;
    return facts.names.some(name =>
      this.#changesSince(name, facts.startedStep).some(({ by }) => by !== facts.run),
    );
  }

  #mayStay(facts: RunFacts, blob: Version): boolean {
    if (facts.forgotten || !facts.chain.subject.mayDelete || facts.refusedNames.has(blob.name)) return true;
    // A fixed name is written again by the next run that has this part.
    const [change] = this.#changesSince(blob.name, blob.step).filter(({ by }) => by === facts.run);
    if (change?.before !== undefined) return true;
    return facts.removedStep !== undefined && blob.step >= facts.removedStep;
  }

  #changesSince(name: string, step: number): { readonly by: string; readonly before: Version | undefined }[] {
    return this.#history.get(name)?.filter(change => change.step >= step) ?? [];
  }
}

/** The run of `_sluice/ACTIVATION/RUN.json`. */
function runOfName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1, -'.json'.length);
}

function changeOf(name: string): string | undefined {
  return /_(added|updated|removed)(?:_part\d+)?\.csv$/.exec(name)?.[1];
}

/** Whether all files of a run were in place then; one of them may be taken back later. */
function wasComplete({ completeStep, takenBackStep }: RunFacts, step: number): boolean {
  return completeStep !== undefined && step >= completeStep && step < (takenBackStep ?? Infinity);
}
