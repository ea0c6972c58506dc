import type { ResolvedActivation } from '../../src/config/activation.ts';
import { SluiceError } from '../../src/errors.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { manifestNames } from '../../src/publish/manifest.ts';
import { type ProtocolParts, RunProtocol } from '../../src/publish/protocol.ts';
import { Held } from '../../src/run/held.ts';
import { Oracle } from './oracle.ts';
import { Random } from './random.ts';
import { Refusals } from './refusals.ts';
import { chooseScenario, SCHEMAS, type Scenario } from './scenario.ts';
import { simulatedRun } from './simulated-run.ts';
import { newTally, type Tally } from './tally.ts';
import { VirtualBaseline } from './virtual-baseline.ts';
import { type NetworkFaults, VirtualBlobStore } from './virtual-blob-store.ts';
import { VirtualContainer, WEEK_MS } from './virtual-container.ts';
import { VirtualDisk, VirtualJournal } from './virtual-disk.ts';
import { CRASH, Process, World } from './world.ts';

/** The parts of one process, before the protocol is given them. */
export interface VirtualParts {
  readonly store: VirtualBlobStore;
  readonly journal: VirtualJournal;
  readonly baseline: VirtualBaseline;
  readonly disk: VirtualDisk;
  readonly container: VirtualContainer;
}

export interface SimulationOptions {
  /**
   * Puts something else in the place of parts: how mutations of the protocol are made.
   */
  readonly mutate?: ((parts: VirtualParts) => Partial<ProtocolParts>) | undefined;
  /** Whether runs write completion files; without it those of one seed in four. */
  readonly completes?: boolean;
  /** Whether files are partitioned. */
  readonly partitions?: boolean;
  /** Whether to keep what happened, step by step. */
  readonly traced?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  /** What the oracle found wrong; absent where all is well. */
  readonly violation: string | undefined;
  readonly trace: readonly string[];
  readonly tally: Tally;
}

/** Everything that one seed leads to. The same seed always leads to the same. */
export function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  return new Simulation(seed, options).run();
}

interface Site {
  readonly activation: ResolvedActivation;
  disk: VirtualDisk;
  source: Map<number, number>;
  schema: number;
  /** What the person who looks after the activation says at the next start. */
  full: boolean;
  allowRemovals: boolean;
  /** The configuration asks for tags. */
  tags: boolean;
  /** An old state was put back, so that the destination may be ahead of it. */
  stale: boolean;
  readonly backups: VirtualDisk[];
}

interface Troubles {
  readonly network: NetworkFaults;
  readonly disk: number;
  readonly source: number;
  readonly crashes: number;
}

const CALM: Troubles = { network: { writes: 0, reads: 0 }, disk: 0, source: 0, crashes: 0 };
const CONSUMERS = 2 ** 40;
const REFUSALS = 2 ** 41;
const KEYS = 8;
const VALUES = 3;
/** About as many moments as a recovery and a run have. */
const MOMENTS = 70;
const FOR_EVER = 2 ** 30;
const TARGET = 'acme/exports';
const TAGS = { tags: { team: 'crm' } };
/**
 * Starts after which a site must have succeeded once nothing goes wrong any more; each
 * error may need a person.
 */
const CALM_STARTS = 6;

class Simulation {
  readonly #seed: number;
  readonly #options: SimulationOptions;
  readonly #random: Random;
  /** What consumers do, which changes nothing else that a seed means. */
  readonly #consumers: Random;
  readonly #world: World;
  readonly #scenario: Scenario;
  readonly #oracle: Oracle;
  readonly #container: VirtualContainer;
  readonly #refusals: Refusals;
  #leasesEndedStep = -1;
  readonly #sites: readonly Site[];
  readonly #tally = newTally();

  constructor(seed: number, options: SimulationOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#random = new Random(seed);
    this.#world = new World(this.#random, options.traced ? [] : undefined);
    this.#consumers = new Random(seed + CONSUMERS);
    const { completes = seed % 4 === 0, partitions = false } = options;
    this.#scenario = chooseScenario(this.#random, this.#consumers, { completes, partitions });
    this.#oracle = new Oracle(this.#world);
    this.#container = new VirtualContainer(this.#world, this.#oracle.onEvent);
    this.#refusals = new Refusals(new Random(seed + REFUSALS), {
      onWrite: (run, name) => this.#oracle.refused(run, name),
      onDelete: (run, name) => this.#oracle.refusedDelete(run, name),
      onEnd: () => this.#oracle.refusalsEnd(),
    });
    this.#sites = this.#scenario.activations.map(activation => ({
      activation,
      disk: new VirtualDisk(),
      source: new Map(),
      schema: 0,
      full: false,
      allowRemovals: false,
      tags: false,
      stale: false,
      backups: [],
    }));
    this.#oracle.watch(
      this.#container,
      this.#scenario.activations.map(
        ({ name, syncMode, runType, manifest, destination, ifExists, fileName, completion }) => ({
          name,
          syncMode,
          keepsState: runType === 'full_then_delta',
          manifest,
          latest: manifestNames(destination.folder, name, { run: '' }).latest,
          mayDelete: this.#scenario.mayDelete,
          appends: ifExists === 'append',
          hasOneFile: !fileName.includes('{run}'),
          ...(completion && { completion: `${destination.folder}${completion.success}` }),
          surelyDeletes: this.#scenario.mayDelete && !this.#refusals.mayLease,
        }),
      ),
    );
  }

  async run(): Promise<SimulationResult> {
    this.#describe();
    try {
      await this.#storm();
      await this.#calm();
    } catch (error) {
      this.#oracle.violate(`the simulation itself failed: ${(error as Error).stack}`);
    }
    const { violation } = this.#oracle;
    this.#tally.steps = this.#world.step;
    return { seed: this.#seed, violation, trace: this.#world.trace ?? [], tally: this.#tally };
  }

  get #isOver(): boolean {
    return this.#oracle.violation !== undefined;
  }

  /** Starts with whatever the seed has in store. */
  async #storm(): Promise<void> {
    const { network, diskFaults: disk, crashes } = this.#scenario;
    const troubles: Troubles = { network, disk, source: 0.03, crashes };
    for (let start = 0; start < this.#scenario.starts && !this.#isOver; start++) {
      this.#passTime();
      for (const site of this.#sites) {
        this.#changeSource(site);
        this.#maybeRestore(site);
      }
      this.#consume();
      this.#refusals.begin();
      for (const site of this.#sites) site.tags ||= this.#refusals.beginTags();
      if (this.#random.chance(this.#scenario.foreignWrites)) this.#letOthersWrite();
      if (this.#random.chance(0.3)) await Promise.all(this.#sites.map(site => this.#start(site, troubles)));
      else for (const site of this.#sites) await this.#start(site, troubles);
      if (this.#random.chance(this.#scenario.foreignWrites / 3)) this.#writeAsOther();
    }
  }

  /**
   * Nothing goes wrong any more: every site must come to a success, and what it has
   * published must be right.
   */
  async #calm(): Promise<void> {
    if (this.#random.chance(0.5)) this.#world.settle();
    this.#passTime();
    await this.#succeed('once all is calm');
    if (this.#isOver) return;
    // Requests of long ago arrive now at the latest.
    this.#world.settle();
    for (const site of this.#sites) this.#changeSource(site);
    this.#consume();
    await this.#succeed('after the last late request');
    for (const { activation, source } of this.#sites) {
      if (!this.#isOver) this.#oracle.checkEnd(activation.name, source);
    }
  }

  async #succeed(when: string): Promise<void> {
    for (const site of this.#sites) {
      let done = false;
      for (let start = 0; start < CALM_STARTS && !done && !this.#isOver; start++) {
        done = await this.#start(site, CALM);
      }
      if (!done) this.#oracle.violate(`${site.activation.name} does not succeed ${when}`);
    }
  }

  /** One process: recovery, then a run. Returns whether the run succeeded. */
  async #start(site: Site, troubles: Troubles): Promise<boolean> {
    const { activation, disk } = site;
    const { name } = activation;
    const dies = this.#random.chance(troubles.crashes);
    const process = new Process(this.#world, dies ? 1 + this.#random.below(MOMENTS) : FOR_EVER);
    if (this.#world.trace) {
      this.#world.note(
        `START ${name}${site.full ? ' --full' : ''}, ${[...site.source].join(' ') || 'no rows'}`,
      );
    }
    const run = this.#newRun();
    const startedStep = this.#world.step;
    const seen = new Set<string>();
    let decided = false;
    const store = new VirtualBlobStore({
      container: this.#container,
      process,
      faults: troubles.network,
      refusals: this.#refusals,
      mayDelete: this.#scenario.mayDelete,
      onSeen: etag => {
        if (!decided) seen.add(etag);
      },
    });
    const journal = new VirtualJournal({
      disk,
      process,
      faults: troubles.disk,
      onDecided: decidedRun => this.#oracle.decided(decidedRun),
      onRemoved: removedRun => this.#oracle.removed(removedRun, disk.history.has(removedRun), seen),
      onNoted: notedRun => this.#oracle.noted(notedRun),
    });
    const baseline = new VirtualBaseline({ disk, process, faults: troubles.disk });
    const mutated = this.#options.mutate?.({ store, journal, baseline, disk, container: this.#container });
    const parts: ProtocolParts = {
      store,
      journal,
      baseline,
      withBaselineOf: (_set, act) => act(baseline),
      history: journal,
      clock: this.#world,
      target: TARGET,
      configured: site.tags ? TAGS : {},
      manifests: activation.manifest,
      completes: activation.completion !== undefined,
      ...mutated,
    };
    try {
      const protocol = await RunProtocol.open(parts);
      for (const recovered of protocol.recovered) {
        this.#tally.recovered++;
        this.#world.note(`RECOVERED ${recovered.run}`);
        this.#oracle.finished(recovered, disk);
      }
      let before: readonly string[] = [];
      const record = await simulatedRun(protocol, {
        activation,
        run,
        process,
        store: parts.store,
        blockLists: store,
        journal,
        baseline,
        source: site.source,
        schema: SCHEMAS[site.schema]!,
        rowsPerPart: this.#scenario.rowsPerPart,
        hasEnd: this.#scenario.hasEnd,
        full: site.full,
        wasReset: disk.wasReset,
        allowRemovals: site.allowRemovals,
        sourceFaults: troubles.source,
        onRead: (plan, source, known) => {
          before = this.#oracle.latestNames(name);
          this.#oracle.read(name, run, plan, { source, known, seen, startedStep });
        },
        onStaged: files => this.#oracle.staged(run, files),
        onDecision: () => {
          decided = true;
        },
      });
      if (!process.alive) throw CRASH;
      if (record instanceof Held) {
        process.alive = false;
        this.#release(site, run, record);
        return false;
      }
      this.#world.note(`DONE ${run}, generation ${record.generation}`);
      this.#oracle.finished(record, disk);
      this.#checkStale(site, record, before, startedStep);
      this.#tally.done++;
      site.full = false;
      site.allowRemovals = false;
      site.stale = false;
      // A person reads warnings, too.
      if (record.warnings.some(({ code }) => code === 'RECORD_NOT_KEPT')) return !this.#endLeases();
      return true;
    } catch (error) {
      if (process.alive) {
        process.alive = false;
        this.#look(site, run, error, startedStep);
      } else if (error !== CRASH && !(error instanceof SluiceError)) {
        throw error;
      } else {
        this.#tally.crashes++;
        if (this.#random.chance(0.5)) {
          this.#world.note('the power is cut');
          disk.powerCut(this.#random);
        }
      }
      return false;
    } finally {
      this.#oracle.checkBaseline(name, disk);
    }
  }

  /** What the person who looks after the activation makes of a run that is held. */
  #release(site: Site, run: string, { reason, message }: Held): void {
    const { name } = site.activation;
    this.#oracle.failed(run, site.disk);
    this.#world.note(`HELD ${reason}: ${message}`);
    this.#tally.failed[reason] = (this.#tally.failed[reason] ?? 0) + 1;
    if (reason === 'SOURCE_EMPTY') {
      site.allowRemovals = true;
      return;
    }
    if (!site.stale && !this.#oracle.cameBack(name))
      this.#oracle.violate(`the state of ${name} is not lost: ${message}`);
    site.full = true;
  }

  /** Whether there was any to end. */
  #endLeases(): boolean {
    const had = this.#refusals.endLeases();
    if (had) this.#leasesEndedStep = this.#world.step;
    return had;
  }

  /** What the same person makes of an error. */
  #look(site: Site, run: string, error: unknown, startedStep: number): void {
    const { activation, disk } = site;
    const { name } = activation;
    if (!(error instanceof SluiceError)) throw error;
    this.#world.note(`FAILED ${error.code}: ${error.message}`);
    this.#tally.failed[error.code] = (this.#tally.failed[error.code] ?? 0) + 1;
    this.#oracle.failed(run, disk);
    switch (error.code) {
      case 'DESTINATION_TIMEOUT':
      case 'DESTINATION_THROTTLED':
      case 'STATE_WRITE_FAILED':
      case 'SOURCE_CONNECTION_LOST':
      case 'CANCELLED':
      case 'DESTINATION_CONFLICT':
        return;
      case 'SCHEMA_CHANGED':
        site.full = true;
        return;
      case 'DESTINATION_RESET':
        if (!this.#oracle.wasLost(name) && !this.#oracle.areAllTaken(name) && !site.stale)
          this.#oracle.violate(`${name} was reset by nobody`);
        site.full = true;
        return;
      case 'STATE_STALE':
        if (!site.stale && !this.#oracle.cameBack(name))
          this.#oracle.violate(`the state of ${name} is not stale: ${error.message}`);
        this.#world.note('state reset');
        disk.reset();
        this.#oracle.forgotten(name);
        return;
      case 'DESTINATION_PERMISSION':
        if (!site.tags) this.#oracle.violate(`${name} lacks no right: ${error.message}`);
        this.#world.note('tags are taken out of the configuration');
        site.tags = false;
        this.#oracle.refusalsEnd();
        return;
      case 'DESTINATION_REFUSED':
        this.#endLeases();
        // Perhaps for a run beside this one.
        if (this.#leasesEndedStep >= startedStep) return;
        if (activation.ifExists !== 'append') this.#oracle.violate(`${name} refused: ${error.message}`);
        site.full = true;
        return;
      case 'DELTA_OVERWRITTEN':
        if (activation.onDeltaOverwrite === 'fail') this.#takeFilesAway(name);
        return;
      case 'DESTINATION_EXISTS':
        if (activation.ifExists === 'fail') this.#takeFilesAway(name);
        return;
      default:
        this.#oracle.violate(`${error.code} in ${name}: ${error.message}`);
    }
  }

  #checkStale({ activation }: Site, record: RunRecord, before: readonly string[], startedStep: number): void {
    if (activation.fileName.includes('{run}')) return;
    const written = new Set(record.files.map(({ name }) => name));
    const firsts = new Set(record.files.map(({ name }) => firstOf(name)));
    const begun = before.filter(name => name !== firstOf(name) && written.has(firstOf(name)));
    // Unless they have come only now.
    const own = [...this.#container.blobs.values()].filter(
      blob =>
        blob.metadata['sluice'] === activation.name &&
        blob.step < startedStep &&
        !this.#oracle.cameLate(blob),
    );
    const { foreignWrites, consumes, restores } = this.#scenario;
    // Where no run appends, nothing remembers how many parts there were behind one that
    // is gone.
    const remembers = activation.ifExists === 'append' && restores === 0;
    // Whatever earlier run they are of, unless another writer or a late request has made
    // a gap.
    const hasGaps = foreignWrites > 0 || (consumes > 0 && !remembers);
    const older = hasGaps ? [] : own.filter(({ name }) => firsts.has(firstOf(name)));
    // What is appended to keeps the parts before.
    const later = (name: string): boolean =>
      activation.ifExists !== 'append' || [...written].every(one => one < name);
    const present = new Set([...written].map(partitionOf));
    const gone =
      activation.partitionBy && record.full && (written.size > 0 || activation.onEmpty === 'write')
        ? before.filter(name => !present.has(partitionOf(name)))
        : [];
    // The state knows all files that runs append to, whichever run wrote them.
    const known =
      activation.partitionBy && record.full && remembers && foreignWrites === 0
        ? own.filter(({ name }) => name.endsWith('.csv') && !present.has(partitionOf(name)))
        : [];
    const ofWritten = [...(activation.manifest ? begun : []), ...older.map(({ name }) => name)];
    const ofGone = [...(activation.manifest ? gone : []), ...known.map(({ name }) => name)];
    this.#oracle.checkStale(
      record,
      [...ofWritten.filter(later), ...ofGone].filter(name => !written.has(name)),
    );
  }

  #newRun(): string {
    const stamp = this.#world.now().toISOString().slice(0, 23).replace('T', '-').replace('.', '-');
    const [year, month, day, time, milliseconds] = stamp.split('-');
    const number = String(++this.#tally.starts).padStart(6, '0');
    return `${year}${month}${day}-${time!.replaceAll(':', '')}-${milliseconds}-${number}`;
  }

  #changeSource(site: Site): void {
    const { source } = site;
    const random = this.#random;
    if (random.chance(0.06)) {
      source.clear();
      site.allowRemovals = random.chance(0.8);
    }
    for (let changes = random.below(5); changes > 0; changes--) {
      const key = random.below(KEYS);
      if (source.has(key) && random.chance(0.4)) source.delete(key);
      else source.set(key, random.below(VALUES));
    }
    if (random.chance(0.02)) site.schema = 1 - site.schema;
    if (random.chance(0.03)) site.full = true;
  }

  #passTime(): void {
    const isLong = this.#random.chance(this.#scenario.longPauses);
    this.#world.pass(isLong ? WEEK_MS + this.#random.below(WEEK_MS) : 1000 + this.#random.below(86_400_000));
  }

  #maybeRestore(site: Site): void {
    const { restores } = this.#scenario;
    if (restores === 0) return;
    if (site.backups.length > 0 && this.#random.chance(restores)) {
      const isLost = this.#random.chance(0.3);
      site.disk = isLost ? new VirtualDisk() : this.#random.pick(site.backups).clone();
      site.stale = true;
      this.#oracle.forgotten(site.activation.name);
      this.#world.note(`${isLost ? 'no' : 'an old'} state of ${site.activation.name} was put back`);
    } else {
      site.backups.push(site.disk.clone());
    }
  }

  /**
   * A consumer that reads what is published, then moves some of it away or archives it,
   * while no process runs.
   */
  #consume(): void {
    const random = this.#consumers;
    if (!random.chance(this.#scenario.consumes)) return;
    for (const blob of [...this.#container.blobs.values()]) {
      const { name, metadata } = blob;
      if (!this.#oracle.mayBeTaken(metadata['run'] ?? '') || !random.chance(0.4)) continue;
      const site = this.#sites.find(({ activation }) => activation.name === metadata['sluice']);
      // Nothing can be written over what is archived.
      const isFile = name.endsWith('.csv');
      if (isFile && site?.activation.ifExists === 'append' && !site.full && random.chance(0.2)) {
        blob.isArchived = true;
        this.#oracle.archived(blob);
        this.#world.note(`  ${name} is archived`);
      } else {
        this.#container.delete(name, undefined, 'consumer');
      }
    }
  }

  #letOthersWrite(): void {
    for (let writes = 1 + this.#random.below(2); writes > 0; writes--) {
      this.#world.later(1 + this.#random.below(50), () => this.#writeAsOther());
    }
  }

  /**
   * Another program, or a person, that writes and deletes as it pleases; where there are
   * no manifests, a consumer that takes a file away once its run is done.
   */
  #writeAsOther(): void {
    const random = this.#random;
    const container = this.#container;
    const manifest = this.#scenario.activations[0]!.manifest;
    const names = [...container.blobs.values()]
      .filter(({ metadata }) => manifest || this.#oracle.mayBeTaken(metadata['run'] ?? ''))
      .map(({ name }) => name);
    if (names.length === 0) return;
    const manifests = names.filter(one => one.endsWith('/latest.json'));
    const name = random.pick(manifests.length > 0 && random.chance(0.2) ? manifests : names);
    this.#world.note('another writer:');
    if (!manifest) {
      container.delete(name, undefined, 'foreign');
      return;
    }
    if (this.#scenario.foreignTakesNames) {
      this.#takeName();
      return;
    }
    const kind = random.below(20);
    if (kind === 0) container.empty();
    else if (kind < 9) container.delete(name, undefined, 'foreign');
    else container.put(name, Buffer.from('9 9\n'), undefined, { by: 'foreign' });
  }

  #takeName(): void {
    const container = this.#container;
    const files = [...container.blobs.values()].filter(({ name }) => name.endsWith('.csv'));
    const taken = files.filter(({ by }) => by === 'foreign');
    if (taken.length > 0) {
      for (const { name } of taken) container.delete(name, undefined, 'foreign');
      return;
    }
    const last = files
      .map(({ name }) => name)
      .sort()
      .at(-1);
    const next = last && nextOf(last);
    if (next && !container.blobs.has(next))
      container.put(next, Buffer.from('9 9\n'), undefined, { by: 'foreign' });
  }

  /** A consumer that moves files away once it has read them. */
  #takeFilesAway(activation: string): void {
    for (const { name, metadata, by } of [...this.#container.blobs.values()]) {
      const isFile = by === 'foreign' ? !name.includes('/_sluice/') : metadata['sluice'] === activation;
      if (isFile) this.#container.delete(name, undefined, 'foreign');
    }
  }

  #describe(): void {
    if (this.#world.trace === undefined) return;
    for (const { name, runType, syncMode, fileName, onEmpty, ifExists, manifest, onDestinationReset } of this
      .#scenario.activations) {
      const settings = { runType, syncMode, fileName, onEmpty, ifExists, manifest, onDestinationReset };
      this.#world.note(`${name}: ${JSON.stringify(settings)}`);
    }
    const { activations: _, ...rest } = this.#scenario;
    this.#world.note(JSON.stringify(rest));
  }
}

/** What stands in the name for the partition, where files are partitioned. */
function partitionOf(name: string): string | undefined {
  return /-(\d)(?:_[a-z]+)?(?:_part\d{5})?\.csv$/.exec(name)?.[1];
}

/** The name of the first part of the file. */
function firstOf(name: string): string {
  return name.replace(/_part\d{5}/, '').replace(/-\d{5}/, '-00001');
}

/** The name of the part after that one. */
function nextOf(name: string): string {
  const part = /(?:_part|-)(\d{5})(?=[._])/.exec(name);
  if (part === null) return name.replace(/(?=(?:_(?:added|updated|removed))?\.csv$)/, '_part00002');
  const next = String(Number(part[1]) + 1).padStart(5, '0');
  return name.replace(part[0], part[0].replace(part[1]!, next));
}
