import type { AppendedFile, BaselineState } from '../../baseline/baseline.ts';
import { SluiceError } from '../../errors.ts';
import { fewNames } from '../../few-names.ts';
import type { RunWarning } from '../../history/run-record.ts';
import type { BlobProperties, BlobStore } from '../../sinks/sink.ts';
import {
  BEGUN_ANEW,
  isBare,
  isOfOlderFile,
  isOfOtherFile,
  isWithdrawn,
  PART_METADATA,
  ROWS_BEFORE_METADATA,
  SINCE_METADATA,
} from './append-metadata.ts';

/**
 * The parts of a file that runs append to: which of them are there, and which consumers
 * have taken away. What was published is never written over, and its number is never
 * given to other rows, since somebody may have read it.
 */

export interface AppendedParts {
  /** The part with published rows that has the highest number of those that are there. */
  readonly last: SeenPart | undefined;
  /**
   * The highest number that published rows ever had and that nothing has any more; 0
   * where none is gone.
   */
  readonly highestGone: number;
  /** Gone since the last run, in order. */
  readonly missing: readonly number[];
  /** Gone before that, in order. */
  readonly goneBefore: readonly number[];
  /** The highest number that published rows ever had. */
  readonly highest: number;
  /** The run that began the file. */
  readonly since: string | undefined;
  /** Behind the last part are rows that were never published. */
  readonly hasUnpublished: boolean;
  /** The last one that was published in the file: rows of later ones never were. */
  readonly generation: number;
}

export interface SeenPart extends BlobProperties {
  readonly name: string;
  readonly part: number;
}

/** What is known of the parts of a file before they are looked at. */
export interface KnownParts extends Pick<AppendedFile, 'parts' | 'gone'> {
  readonly since?: string | undefined;
  /** Names that may be free behind the known parts, with another part after them. */
  readonly gap: number;
  readonly generation: number;
}

export interface LookOptions {
  readonly store: Pick<BlobStore, 'head'>;
  readonly activation: string;
  readonly nameOf: (part: number) => string;
  readonly known: KnownParts;
}

/**
 * The highest part of that name that a run ever published, as far as it is remembered.
 */
export function highestKnown(state: BaselineState | undefined, name: string): number {
  return state?.appended?.find(file => file.name === name)?.parts ?? 0;
}

/**
 * Throws DESTINATION_REFUSED where a run that began the file again has taken published
 * rows with it, and PARTITION_NAMES_MEET where a name is that of another partition too.
 */
export async function lookAtParts(options: LookOptions): Promise<AppendedParts> {
  const { activation, known } = options;
  const { generation } = known;
  const there = await findParts(options);
  for (const { name, metadata, part } of there) {
    if (isOfOtherFile({ metadata }, activation, part)) throw meetError(name, part, metadata);
    if (isWithdrawn(metadata, generation) && metadata[ROWS_BEFORE_METADATA] === BEGUN_ANEW)
      throw lostError(name);
  }
  const since = known.since ?? sinceOf(there, activation, generation);
  const parts = [...there];
  let hasUnpublished = false;
  for (let last = parts.at(-1); last !== undefined; last = parts.at(-1)) {
    const ofOlderFile = isOfOlderFile(last, activation, since);
    if (!ofOlderFile && !isBare(last, activation, generation)) break;
    hasUnpublished ||= !ofOlderFile && last.bytes > 0;
    parts.pop();
  }
  const last = parts.at(-1);
  const highest = Math.max(known.parts, last?.part ?? 0);
  const accounted = new Set([...known.gone, ...there.map(({ part }) => part)]);
  const numbers = Array.from({ length: highest }, (_, index) => index + 1);
  const missing = numbers.filter(part => !accounted.has(part));
  const highestGone = Math.max(known.gone.at(-1) ?? 0, missing.at(-1) ?? 0);
  return { last, highest, highestGone, missing, goneBefore: known.gone, since, hasUnpublished, generation };
}

async function findParts({ store, nameOf, known }: LookOptions): Promise<SeenPart[]> {
  const { parts, gone, gap } = known;
  const found: SeenPart[] = [];
  const isGone = new Set(gone);
  for (let part = 1, free = 0; part <= parts || free <= gap; part++) {
    if (isGone.has(part)) continue;
    const name = nameOf(part);
    const there = await store.head(name);
    if (there !== undefined) found.push({ ...there, name, part });
    free = there !== undefined || part <= parts ? 0 : free + 1;
  }
  return found;
}

/** Whatever is left of older files was written before the file was begun. */
function sinceOf(parts: readonly SeenPart[], activation: string, generation: number): string | undefined {
  const own = parts.filter(
    part => part.metadata['sluice'] === activation && !isBare(part, activation, generation),
  );
  const [newest] = own.sort((a, b) => Number(b.metadata['generation']) - Number(a.metadata['generation']));
  return newest?.metadata[SINCE_METADATA];
}

/** Whether rows were published in the file and nothing of it is there any more. */
export function areAllGone({ last, highestGone }: AppendedParts): boolean {
  return last === undefined && highestGone > 0;
}

/** As it is said of a destination that was reset. */
export function allGoneMessage({ highestGone }: AppendedParts, nameOf: (part: number) => string): string {
  return `${nameOf(highestGone)} and whatever parts were before it are gone, to which runs append`;
}

export function partWarnings(parts: AppendedParts, nameOf: (part: number) => string): RunWarning[] {
  const { missing, last } = parts;
  const next = nameOf(firstFreePart(parts));
  const warnings: RunWarning[] = [];
  if (missing.length > 0) {
    const names = fewNames(missing.map(nameOf), SHOWN_PARTS);
    const goesOn = canGoOnWith(parts) ? `goes on in ${last!.name}` : `goes on in ${next}`;
    warnings.push({
      code: 'APPEND_PART_MISSING',
      message: `${names}, to which rows were published, ${missing.length === 1 ? 'is' : 'are'} gone: the run ${goesOn}`,
    });
  }
  if (last?.isArchived) {
    const message = `${last.name} is archived, so that nothing can be appended to it: the run goes on in ${next}`;
    warnings.push({ code: 'APPEND_PART_MISSING', message });
  }
  return warnings;
}

const SHOWN_PARTS = 20;

/**
 * Whether rows can be appended to the last part: nothing was ever published behind it,
 * and it can be read.
 */
export function canGoOnWith({ last, highestGone }: AppendedParts): boolean {
  return last !== undefined && last.part > highestGone && !last.isArchived;
}

/** The number of a part that begins with the run. */
export function firstFreePart({ last, highestGone }: AppendedParts): number {
  return Math.max(last?.part ?? 0, highestGone) + 1;
}

function lostError(name: string): SluiceError {
  const message = `a full run began ${name} again and could not be finished: rows of earlier runs are gone from it`;
  return new SluiceError('DESTINATION_REFUSED', message, {
    stage: 'destination',
    hint: 'run with --full, which writes every row',
  });
}

function meetError(name: string, part: number, metadata: BlobProperties['metadata']): SluiceError {
  const message = `${name} would be part ${part} of a partition, and is part ${metadata[PART_METADATA]} of another one`;
  return new SluiceError('PARTITION_NAMES_MEET', message, {
    stage: 'destination',
    hint: 'change fileName so that something follows the value, such as a folder',
  });
}
