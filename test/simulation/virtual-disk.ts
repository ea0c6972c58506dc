import type { BaselineState } from '../../src/baseline/baseline.ts';
import { SluiceError } from '../../src/errors.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import type { DocumentName, Journal } from '../../src/publish/journal.ts';
import { DELTA_LOG } from '../../src/publish/roll-forward.ts';
import type { Random } from './random.ts';
import type { Process } from './world.ts';

export type Rows = ReadonlyMap<number, number>;

/** A change of the baseline: the key, and the value or nothing where the key leaves. */
export type Delta = readonly (readonly [key: number, value: number | undefined])[];

export interface StoredBaseline {
  readonly state: BaselineState;
  readonly rows: Rows;
}

/** Documents by name. Nobody changes one once it is written. */
type Files = Map<string, unknown>;

interface Folder {
  readonly files: Files;
  /**
   * What a power cut may bring back: the content before, of files that were not synced
   * since.
   */
  readonly unsynced: Files;
}

/**
 * The local disk of one activation, as the operating system shows it, and what of it a
 * power cut may take.
 */
export class VirtualDisk {
  readonly folders = new Map<string, Folder>();
  /** Folders whose removal no sync has covered yet. */
  readonly #removed = new Map<string, Files>();
  baseline: StoredBaseline | undefined;
  /** The baseline was removed on purpose. */
  wasReset = false;
  /** Runs whose records are kept. */
  readonly history = new Set<string>();

  create(run: string): void {
    if (!this.folders.has(run)) this.folders.set(run, { files: new Map(), unsynced: new Map() });
  }

  /**
   * The content is there for whoever reads, and may be gone after a power cut until
   * `sync`.
   */
  write(run: string, name: string, content: unknown): void {
    const folder = this.folders.get(run);
    if (folder === undefined) throw new Error(`ENOENT: no folder ${run}`);
    if (!folder.unsynced.has(name)) folder.unsynced.set(name, folder.files.get(name));
    setOrDelete(folder.files, name, content);
  }

  sync(run: string): void {
    this.folders.get(run)?.unsynced.clear();
  }

  syncRoot(): void {
    this.#removed.clear();
  }

  remove(run: string): void {
    const folder = this.folders.get(run);
    if (folder === undefined) return;
    this.#removed.set(run, new Map(folder.files));
    this.folders.delete(run);
  }

  powerCut(random: Random): void {
    for (const { files, unsynced } of this.folders.values()) {
      for (const [name, before] of unsynced) if (random.chance(0.5)) setOrDelete(files, name, before);
      unsynced.clear();
    }
    for (const [run, files] of this.#removed) {
      if (random.chance(0.5)) continue;
      this.folders.set(run, { files: subset(files, random), unsynced: new Map() });
    }
    this.#removed.clear();
  }

  clone(): VirtualDisk {
    const copy = new VirtualDisk();
    copy.baseline = this.baseline;
    copy.wasReset = this.wasReset;
    for (const run of this.history) copy.history.add(run);
    for (const [run, { files }] of this.folders) {
      copy.folders.set(run, { files: new Map(files), unsynced: new Map() });
    }
    return copy;
  }

  /** `sluice state reset`. */
  reset(): void {
    this.folders.clear();
    this.#removed.clear();
    this.baseline = undefined;
    this.wasReset = true;
  }
}

export interface VirtualJournalOptions {
  readonly disk: VirtualDisk;
  readonly process: Process;
  /** How often a write fails. */
  readonly faults: number;
  /** Told when a decision has become durable, and when one is about to be removed. */
  readonly onDecided: (run: string) => void;
  readonly onRemoved: (run: string) => void;
  /** Told when it is durable that all files of a run are in place. */
  readonly onNoted: (run: string) => void;
}

/**
 * `Journal` with its promise and nothing more: a write is durable once it has resolved,
 * and no removal is atomic.
 */
export class VirtualJournal implements Journal {
  readonly #options: VirtualJournalOptions;

  constructor(options: VirtualJournalOptions) {
    this.#options = options;
  }

  async list(): Promise<string[]> {
    this.#options.process.enter('list journal');
    return [...this.#options.disk.folders.keys()].sort();
  }

  async create(run: string): Promise<void> {
    const { disk, process } = this.#options;
    process.enter(`create ${run}`);
    this.#mayFail(`create ${run}`);
    disk.create(run);
    process.pause(`create ${run}`);
    disk.syncRoot();
  }

  /** Also for what is no document to the protocol: the delta log. */
  async write(run: string, name: DocumentName | typeof DELTA_LOG, content: unknown): Promise<void> {
    const { disk, process } = this.#options;
    const what = `write ${run}/${name}`;
    process.enter(what);
    this.#mayFail(what);
    disk.write(run, name, content);
    process.pause(`${what}, unsynced`);
    this.#mayFail(`sync ${run}`);
    disk.sync(run);
    process.world.note(what);
    if (name === 'commit.json') this.#options.onDecided(run);
    if (name === 'published.json') this.#options.onNoted(run);
    process.pause(what);
  }

  async read(run: string, document: DocumentName): Promise<unknown> {
    const { disk, process } = this.#options;
    process.enter(`read ${run}/${document}`);
    const content = disk.folders.get(run)?.files.get(document);
    return content === undefined ? undefined : JSON.parse(JSON.stringify(content));
  }

  path(run: string, file: string): string {
    return `${run}/${file}`;
  }

  async remove(run: string): Promise<void> {
    const { disk, process } = this.#options;
    const what = `remove ${run}`;
    process.enter(what);
    this.#mayFail(what);
    const folder = disk.folders.get(run);
    if (folder?.files.has('commit.json')) {
      this.#options.onRemoved(run);
      disk.write(run, 'commit.json', undefined);
      process.pause(`${what}: commit.json, unsynced`);
      this.#mayFail(`sync ${run}`);
      disk.sync(run);
    }
    for (const name of shuffled([...(folder?.files.keys() ?? [])], process.world.random)) {
      process.pause(what);
      this.#mayFail(what);
      disk.write(run, name, undefined);
    }
    disk.remove(run);
    process.world.note(what);
    process.pause(what);
  }

  /** Keeps the record of a run, as a workspace does it. */
  async remember({ run }: Pick<RunRecord, 'run'>): Promise<void> {
    const { disk, process } = this.#options;
    process.enter(`remember ${run}`);
    this.#mayFail(`remember ${run}`);
    disk.history.add(run);
    process.pause(`remember ${run}`);
  }

  #mayFail(what: string): void {
    const { process, faults } = this.#options;
    if (!process.world.random.chance(faults)) return;
    process.world.note(`${what}: no space left`);
    throw new SluiceError('STATE_WRITE_FAILED', `${what}: ENOSPC`, { stage: 'state' });
  }
}

export function deltaLogOf(disk: VirtualDisk, path: string): Delta | undefined {
  const [run = '', file = ''] = path.split('/');
  return file === DELTA_LOG ? (disk.folders.get(run)?.files.get(file) as Delta | undefined) : undefined;
}

function setOrDelete(files: Files, name: string, content: unknown): void {
  if (content === undefined) files.delete(name);
  else files.set(name, content);
}

function subset(files: Files, random: Random): Files {
  return new Map([...files].filter(() => random.chance(0.5)));
}

function shuffled<T>(items: T[], random: Random): T[] {
  for (let end = items.length; end > 1; end--) {
    const at = random.below(end);
    [items[at], items[end - 1]] = [items[end - 1]!, items[at]!];
  }
  return items;
}
