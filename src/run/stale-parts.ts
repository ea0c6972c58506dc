import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { type FileChange, type FileName, partName } from '../config/file-name.ts';
import type { BlobStore, StagedFile } from '../sinks/sink.ts';
import { isOfOlderFile } from './append-metadata.ts';
import { type AppendedParts, highestKnown } from './appended-parts.ts';
import { changeName } from './decide.ts';
import type { Manifest } from './manifest.ts';

export interface StalePart {
  readonly name: string;
  /** It is deleted only as long as it has this one. */
  readonly etag: string;
  /** Name of its first part: what it is a part of. */
  readonly series: string;
}

export interface StalePartsOptions {
  readonly activation: ResolvedActivation;
  readonly fileName: FileName;
  readonly previous: Manifest | undefined;
  readonly staged: readonly StagedFile[];
  readonly store: Pick<BlobStore, 'head'>;
  /** The parts that rows were appended to; absent where the run begins its files. */
  readonly found?: AppendedParts | undefined;
  readonly state: BaselineState | undefined;
}

/**
 * Later parts of the names that this run writes, which it does not have: those that the previous manifest lists, and
 * those that are found behind the run's last part, since an earlier run than the previous one may have left them. What
 * was published of a file that the run appends to is never stale.
 */
export async function findStaleParts(options: StalePartsOptions): Promise<StalePart[]> {
  const { activation, fileName, store, staged, found, state } = options;
  const { folder } = activation.destination;
  const nameOf = (change: FileChange | undefined, part: number): string =>
    partName(fileName, part, { folder, ...(change === undefined ? {} : { change }) });
  const previous = found === undefined ? partsOfPrevious(options, nameOf) : [];
  const stale = new Map(previous.map(part => [part.name, part]));

  const last = new Map<FileChange | undefined, number>();
  for (const { change, part } of staged)
    last.set(changeName(change), Math.max(part, last.get(changeName(change)) ?? 0));
  const search = async ([change, parts]: [FileChange | undefined, number]): Promise<void> => {
    // Consumers may have made gaps.
    const known = highestKnown(state, nameOf(change, 1));
    for (let part = parts + 1; ; part++) {
      const name = nameOf(change, part);
      const there = await store.head(name);
      if (there === undefined && part >= known) return;
      if (there?.metadata['sluice'] !== activation.name || stale.has(name)) continue;
      if (found !== undefined && !isOfOlderFile(there, activation.name, found.since)) continue;
      stale.set(name, { name, etag: there.etag, series: nameOf(change, 1) });
    }
  };
  await Promise.all([...last].map(search));
  // The last ones first: a gap would hide those behind it, should deleting come to an end in between.
  return [...stale.values()].sort((a, b) => (a.name < b.name ? 1 : -1));
}

function partsOfPrevious(
  { previous, staged }: StalePartsOptions,
  nameOf: (change: FileChange | undefined, part: number) => string,
): StalePart[] {
  const written = new Set(staged.map(({ name }) => name));
  // A name that this run did not begin anew keeps its parts: nothing was written to it, or rows were appended.
  const begun = new Set(
    staged.filter(file => file.part === 1 && !file.resumed).map(file => changeName(file.change)),
  );
  const stale: StalePart[] = [];
  for (const { name, change, part, etag } of previous?.files ?? []) {
    if (part === 1 || etag === undefined || written.has(name) || !begun.has(change)) continue;
    if (nameOf(change, part) === name) stale.push({ name, etag, series: nameOf(change, 1) });
  }
  return stale;
}
