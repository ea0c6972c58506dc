import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { type FileChange, type FileName, partName } from '../config/file-name.ts';
import type { BlobProperties, BlobStore, StagedFile } from '../sinks/sink.ts';
import { isBare, isOfOlderFile } from './append-metadata.ts';
import { type AppendedParts, highestKnown } from './appended-parts.ts';
import { changeName } from './decide-files.ts';
import type { StalePart } from './decision.ts';
import type { Manifest } from './manifest.ts';
import type { ReplacedFiles } from './replaced-files.ts';

export interface StalePartsOptions {
  readonly activation: ResolvedActivation;
  readonly fileName: FileName;
  readonly previous: Manifest | undefined;
  readonly staged: readonly StagedFile[];
  readonly store: Pick<BlobStore, 'head'>;
  /** The parts that rows were appended to; absent where the run begins its files. */
  readonly found?: AppendedParts | undefined;
  readonly state: BaselineState | undefined;
  /** Is given the parts that somebody may not have read. */
  readonly replaced: ReplacedFiles;
}

/**
 * Later parts of the names that this run writes, which it does not have: those that the
 * previous manifest lists, and those that are found behind the run's last part, since an
 * earlier run than the previous one may have left them. What was published of a file that
 * the run appends to is never stale.
 */
export async function findStaleParts(options: StalePartsOptions): Promise<StalePart[]> {
  const { activation, fileName, store, staged, found, state, replaced } = options;
  const { folder } = activation.destination;
  const nameOf = (change: FileChange | undefined, part: number): string =>
    partName(fileName, part, { folder, ...(change === undefined ? {} : { change }) });
  const listed = found === undefined ? partsOfPrevious(options, nameOf) : [];
  const etags = new Map(listed.map(({ name, etag }) => [name, etag]));
  const stale: StalePart[] = [];

  const last = new Map<FileChange | undefined, number>();
  for (const { change, part } of staged)
    last.set(changeName(change), Math.max(part, last.get(changeName(change)) ?? 0));
  const search = async ([change, parts]: [FileChange | undefined, number]): Promise<void> => {
    const series = nameOf(change, 1);
    // Consumers may have made gaps.
    const known = listed
      .filter(part => part.series === series)
      .reduce((highest, { part }) => Math.max(highest, part), highestKnown(state, series));
    for (let part = parts + 1; ; part++) {
      const name = nameOf(change, part);
      const there = await store.head(name);
      if (there === undefined && part >= known) return;
      if (there === undefined) continue;
      const isOwn = there.metadata['sluice'] === activation.name;
      if (!isOwn && !etags.has(name)) continue;
      if (found !== undefined && !mustGo(there, options)) continue;
      if (isOwn) replaced.add(name, there);
      stale.push({ name, etag: etags.get(name) ?? there.etag, series });
    }
  };
  await Promise.all([...last].map(search));
  // The last ones first: a gap would hide those behind it, should deleting come to an end
  // in between.
  return stale.sort((a, b) => (a.name < b.name ? 1 : -1));
}

/**
 * Whether a part of the file that the run appends to must go: it is left of an older
 * file, or its rows were never published, since a run could not take them back or an old
 * disk has forgotten it. Later runs would go on behind it.
 */
function mustGo(there: BlobProperties, { activation: { name }, found, state }: StalePartsOptions): boolean {
  return isOfOlderFile(there, name, found?.since) || isBare(there, name, state?.generation ?? 0);
}

/** As the previous manifest lists them, with the ETags that they had then. */
function partsOfPrevious(
  { previous, staged }: StalePartsOptions,
  nameOf: (change: FileChange | undefined, part: number) => string,
): (StalePart & { readonly part: number })[] {
  // A name that this run did not begin again keeps its parts: nothing was written to it,
  // or rows were appended.
  const begun = new Set(
    staged.filter(file => file.part === 1 && !file.resumed).map(file => changeName(file.change)),
  );
  return (previous?.files ?? []).flatMap(({ name, change, part, etag }) => {
    if (part === 1 || etag === undefined || !begun.has(change) || nameOf(change, part) !== name) return [];
    return [{ name, etag, part, series: nameOf(change, 1) }];
  });
}
