import type { AppendedFile, BaselineState } from '../../baseline/baseline.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { FileNameInvalidError } from '../../config/file-name.ts';
import { SluiceError } from '../../errors.ts';
import { fewWarnings } from '../../history/few-warnings.ts';
import type { RunFile, RunWarning } from '../../history/run-record.ts';
import { atOnce } from '../../sinks/at-once.ts';
import type { BlobStore, StagedFile } from '../../sinks/sink.ts';
import type { Manifest } from '../manifest.ts';
import { type PartitionValues, partitionOfFile } from '../partition-of-file.ts';
import {
  type AppendedParts,
  allGoneMessage,
  areAllGone,
  type KnownParts,
  lookAtParts,
  partWarnings,
} from './appended-parts.ts';

/** The name of a part; values are those of its partition. */
export type NameOfPart = (part: number, values: PartitionValues | undefined) => string;

type Appending = Pick<ResolvedActivation, 'name' | 'partitionBy' | 'maxPartitions'>;

export interface AppendedFilesOptions {
  readonly activation: Appending;
  readonly store: Pick<BlobStore, 'head'>;
  readonly nameOf: NameOfPart;
  readonly state: BaselineState;
  readonly previous: Manifest | undefined;
}

interface LookedAt {
  readonly values: PartitionValues | undefined;
  readonly parts: AppendedParts;
}

/**
 * The most files that are remembered by name, the latest ones: names may have the time
 * in them. There may be more partitions.
 */
const REMEMBERED_FILES = 100;

/**
 * Behind so many names in a row that nothing has, no part is looked for where none is
 * remembered.
 */
const WIDEST_GAP = 50;

/** Parts that are looked for together, where one that is there is enough. */
const LOOKED_FOR_TOGETHER = 16;

/**
 * The files that a run appends to: one, or one for each partition. A file is looked at
 * when the run has a row for it, since there may be thousands.
 */
export class AppendedFiles {
  readonly #options: AppendedFilesOptions;
  readonly #remembered: ReadonlyMap<string, AppendedFile>;
  readonly #lookedAt = new Map<string, LookedAt>();
  #listed: ReadonlyMap<string, readonly RunFile[]> | undefined;

  constructor(options: AppendedFilesOptions) {
    this.#options = options;
    this.#remembered = new Map(options.state.appended?.map(file => [file.name, file]));
  }

  readonly nameOf: NameOfPart = (part, values) => this.#options.nameOf(part, values);

  /** What was found of a file; absent where the run did not look. */
  of(values: PartitionValues | undefined): AppendedParts | undefined {
    return this.#lookedAt.get(keyOf(values))?.parts;
  }

  get lookedAt(): Iterable<LookedAt> {
    return this.#lookedAt.values();
  }

  /**
   * Throws DESTINATION_REFUSED where published rows were lost, and PARTITION_NAMES_MEET
   * where the name of a part is that of another partition.
   */
  async look(values: PartitionValues | undefined): Promise<AppendedParts> {
    const seen = this.of(values);
    if (seen !== undefined) return seen;
    const { activation, store, nameOf } = this.#options;
    const parts = await lookAtParts({
      store,
      activation: activation.name,
      nameOf: part => nameOf(part, values),
      known: this.#known(values),
    });
    this.#lookedAt.set(keyOf(values), { values, parts });
    return parts;
  }

  /**
   * The same again, where something has changed meanwhile. Throws DESTINATION_RESET
   * where nothing is left of the only file.
   */
  async lookAgain(values: PartitionValues | undefined): Promise<AppendedParts> {
    this.#lookedAt.delete(keyOf(values));
    const found = await this.look(values);
    if (values !== undefined || !areAllGone(found)) return found;
    const message = allGoneMessage(found, part => this.nameOf(part, values));
    throw new SluiceError('DESTINATION_RESET', message, { stage: 'destination' });
  }

  /** As it is said of a destination that was reset, where nothing published is there. */
  async findAllGone(): Promise<string | undefined> {
    if (this.#options.activation.partitionBy === undefined) {
      const found = await this.look(undefined);
      return areAllGone(found) ? allGoneMessage(found, part => this.nameOf(part, undefined)) : undefined;
    }
    const files = this.#current.filter(({ parts }) => parts > 0).reverse();
    const [latest] = files;
    if (latest === undefined) return undefined;
    const names = files.flatMap(({ partition, parts, gone }) => {
      const isGone = new Set(gone);
      return numbersTo(parts)
        .filter(part => !isGone.has(part))
        .map(part => this.nameOf(part, partition));
    });
    for (let from = 0; from < names.length; from += LOOKED_FOR_TOGETHER) {
      const some = names.slice(from, from + LOOKED_FOR_TOGETHER);
      const found = await atOnce(some, name => this.#options.store.head(name));
      if (found.some(there => there !== undefined)) return undefined;
    }
    return `${this.nameOf(latest.parts, latest.partition)} and all other parts are gone, to which runs append`;
  }

  get warnings(): readonly RunWarning[] {
    return fewWarnings(
      [...this.#lookedAt.values()].flatMap(({ values, parts }) =>
        partWarnings(parts, part => this.nameOf(part, values)),
      ),
    );
  }

  /**
   * What the state remembers of the file; an older version's state remembers nothing, and
   * its last manifest may help.
   */
  #known(values: PartitionValues | undefined): KnownParts {
    const { activation, nameOf, state } = this.#options;
    const { appended, generation } = state;
    const file = this.#remembered.get(nameOf(1, values));
    if (file !== undefined) return { generation, ...file, gap: 0 };
    const isNew = appended !== undefined && appended.length < mostRemembered(activation);
    if (isNew) return { generation, parts: 0, gone: [], gap: 0 };
    this.#listed ??= this.#listedFiles();
    const listed = this.#listed.get(keyOf(values)) ?? [];
    const parts = listed
      .filter(({ name, part }) => nameOf(part, values) === name)
      .reduce((highest, { part }) => Math.max(highest, part), 0);
    return { generation, parts, gone: [], gap: WIDEST_GAP };
  }

  #listedFiles(): ReadonlyMap<string, readonly RunFile[]> {
    const { previous, activation } = this.#options;
    const listed = new Map<string, RunFile[]>();
    for (const file of previous?.files ?? []) {
      const key = keyOf(activation.partitionBy && partitionOfFile(file, activation.partitionBy));
      listed.set(key, [...(listed.get(key) ?? []), file]);
    }
    return listed;
  }

  get #current(): readonly AppendedFile[] {
    const { state, activation, nameOf } = this.#options;
    return currentFiles(state, activation, nameOf);
  }
}

export interface RememberOptions {
  readonly activation: Appending;
  readonly state: BaselineState | undefined;
  /** The files as they were found; absent where the run begins them again. */
  readonly found: AppendedFiles | undefined;
  readonly staged: readonly StagedFile[];
  readonly run: string;
  readonly generation: number;
  readonly nameOf: NameOfPart;
}

/**
 * What the next run is to know of the files, once the run that is described has been
 * published.
 */
export function rememberFiles(options: RememberOptions): AppendedFile[] {
  const { activation, state, found, staged, run, generation, nameOf } = options;
  const files = new Map(state?.appended?.map(file => [file.name, file]));
  const remember = (values: PartitionValues | undefined, file: Omit<AppendedFile, 'name'>): void => {
    const name = nameOf(1, values);
    // The latest ones are last.
    files.delete(name);
    files.set(name, { name, ...(values && { partition: values }), ...file });
  };
  // Parts of theirs that could not be deleted are of an older file.
  if (found === undefined)
    for (const { partition } of currentFiles(state, activation, nameOf))
      remember(partition, { parts: 0, gone: [], since: run, generation });
  for (const { values, parts, written } of touchedFiles(found, staged)) {
    const { highest = 0, since = run, missing = [], goneBefore = [] } = parts ?? {};
    const gone = [...goneBefore, ...missing].sort((a, b) => a - b);
    const file = { parts: Math.max(highest, written), gone, since };
    if (file.parts > 0)
      remember(values, { ...file, generation: written > 0 ? generation : parts!.generation });
  }
  return [...files.values()].slice(-mostRemembered(activation));
}

interface TouchedFile {
  readonly values: PartitionValues | undefined;
  readonly parts?: AppendedParts;
  /** The last part that the run writes; 0 where it writes none. */
  readonly written: number;
}

function touchedFiles(
  found: AppendedFiles | undefined,
  staged: readonly StagedFile[],
): Iterable<TouchedFile> {
  const touched = new Map<string, TouchedFile>();
  for (const file of found?.lookedAt ?? []) touched.set(keyOf(file.values), { ...file, written: 0 });
  for (const { partition, part } of staged) {
    const key = keyOf(partition?.values);
    const file = touched.get(key) ?? { values: partition?.values, written: 0 };
    touched.set(key, { ...file, written: Math.max(file.written, part) });
  }
  return touched.values();
}

/** Those that are remembered under names as the activation gives them now. */
export function currentFiles(
  state: BaselineState | undefined,
  { partitionBy }: Pick<Appending, 'partitionBy'>,
  nameOf: NameOfPart,
): readonly AppendedFile[] {
  return (state?.appended ?? []).filter(({ name, partition }) => {
    if (partition?.length !== partitionBy?.length) return false;
    try {
      return nameOf(1, partition) === name;
    } catch (error) {
      if (error instanceof FileNameInvalidError) return false;
      throw error;
    }
  });
}

function mostRemembered({ partitionBy, maxPartitions }: Appending): number {
  return partitionBy === undefined ? REMEMBERED_FILES : Math.max(REMEMBERED_FILES, maxPartitions);
}

function keyOf(values: PartitionValues | undefined): string {
  return JSON.stringify(values ?? []);
}

function numbersTo(highest: number): number[] {
  return Array.from({ length: highest }, (_, index) => index + 1);
}
