import type { BaselineState } from '../baseline/baseline.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { type FileChange, type FileName, FileNameInvalidError, partName } from '../config/file-name.ts';
import { partitionText } from '../config/partition-name.ts';
import type { RunFile } from '../history/run-record.ts';
import { atOnce } from '../sinks/at-once.ts';
import type { BlobProperties, BlobStore, StagedFile } from '../sinks/sink.ts';
import { isBare, isOfOlderFile, isOfOtherFile } from './append/append-metadata.ts';
import { type AppendedFiles, currentFiles } from './append/appended-files.ts';
import { changeName } from './decide-files.ts';
import type { StalePart } from './decision.ts';
import type { Manifest } from './manifest.ts';
import { type PartitionValues, partitionOfFile } from './partition-of-file.ts';
import type { ReplacedFiles } from './replaced-files.ts';

export interface StalePartsOptions {
  readonly activation: ResolvedActivation;
  readonly fileName: FileName;
  /** Whether the run exports every row. */
  readonly full: boolean;
  readonly previous: Manifest | undefined;
  readonly staged: readonly StagedFile[];
  readonly store: Pick<BlobStore, 'head'>;
  /** The files that rows were appended to; absent where the run begins its files. */
  readonly found?: AppendedFiles | undefined;
  readonly state: BaselineState | undefined;
  /** Is given the parts that somebody may not have read. */
  readonly replaced: ReplacedFiles;
}

/** A name and the parts that it may have. */
interface Series {
  /** That of the first part. */
  readonly name: string;
  readonly nameOf: (part: number) => string;
}

/** A series that the run writes. */
interface WrittenSeries extends Series {
  readonly values: PartitionValues | undefined;
  /** The last part of it. */
  readonly parts: number;
  /** A name that the run did not begin again keeps its parts: rows were appended. */
  readonly isBegun: boolean;
}

/** A file of a partition without rows, with its ETag where that was listed. */
type GonePart = Omit<StalePart, 'etag'> & Partial<Pick<StalePart, 'etag'>>;

interface ListedPart extends StalePart {
  readonly part: number;
}

/**
 * Later parts of the names that this run writes, which it does not have: those that the
 * previous manifest lists, and those that are found behind the run's last part, since an
 * earlier run than the previous one may have left them. What was published of a file that
 * the run appends to is never stale. Of a full run also the files of partitions that are
 * gone: those that the previous manifest lists, and those that runs appended to.
 */
export async function findStaleParts(options: StalePartsOptions): Promise<StalePart[]> {
  const { activation, store, found, state, replaced } = options;
  const written = writtenSeries(options);
  const previous = listedFiles(options);
  const listed = found === undefined ? partsOf(previous, written) : [];
  const etags = new Map(listed.map(({ name, etag }) => [name, etag]));
  const highestListed = new Map<string, number>();
  for (const { series, part } of listed)
    highestListed.set(series, Math.max(part, highestListed.get(series) ?? 0));

  const appendedParts = new Map(state?.appended?.map(({ name, parts }) => [name, parts]));
  const searched = await atOnce([...written.values()], async ({ name: series, nameOf, parts, values }) => {
    const stale: StalePart[] = [];
    // Consumers may have made gaps.
    const known = Math.max(highestListed.get(series) ?? 0, appendedParts.get(series) ?? 0);
    for (let part = parts + 1; ; part++) {
      const name = nameOf(part);
      const there = await store.head(name);
      if (there === undefined && part >= known) return stale;
      if (there === undefined) continue;
      const isOwn = there.metadata['sluice'] === activation.name;
      if (!isOwn && !etags.has(name)) continue;
      if (isOfOtherFile(there, activation.name, part)) continue;
      if (found !== undefined && !mustGo(there, values, options)) continue;
      if (isOwn) replaced.add(name, there);
      stale.push({ name, etag: etags.get(name) ?? there.etag, series });
    }
  });
  const ofGonePartitions = [
    ...filesOfGonePartitions(previous, written, options),
    ...appendedToGonePartitions(written, options),
  ];
  const gone = await atOnce(
    [...new Map(ofGonePartitions.map(part => [part.name, part])).values()],
    async part => {
      const there = await store.head(part.name);
      const isOwn = there?.metadata['sluice'] === activation.name;
      if (there === undefined || (part.etag === undefined && !isOwn)) return [];
      if (isOwn) replaced.add(part.name, there);
      return [{ ...part, etag: part.etag ?? there.etag }];
    },
  );
  // The last ones first: a gap would hide those behind it, should deleting come to an end
  // in between.
  return [...searched, ...gone].flat().sort((a, b) => (a.name < b.name ? 1 : -1));
}

function seriesOf(
  { activation: { destination }, fileName }: StalePartsOptions,
  change: FileChange | undefined,
  values: PartitionValues | undefined,
): Series {
  const { folder } = destination;
  const partition = values?.map(partitionText);
  const nameOf = (part: number): string =>
    partName(fileName, part, { folder, partition, ...(change === undefined ? {} : { change }) });
  return { name: nameOf(1), nameOf };
}

/** By their names. */
function writtenSeries(options: StalePartsOptions): Map<string, WrittenSeries> {
  const written = new Map<string, WrittenSeries>();
  for (const { change, partition, part, resumed } of options.staged) {
    const series = seriesOf(options, changeName(change), partition?.values);
    const { parts = 0, isBegun = false } = written.get(series.name) ?? {};
    written.set(series.name, {
      ...series,
      values: partition?.values,
      parts: Math.max(part, parts),
      isBegun: isBegun || (part === 1 && !resumed),
    });
  }
  return written;
}

/**
 * Whether a part of the file that the run appends to must go: it is left of an older
 * file, or its rows were never published, since a run could not take them back or an old
 * disk has forgotten it. Later runs would go on behind it.
 */
function mustGo(
  there: BlobProperties,
  values: PartitionValues | undefined,
  { activation: { name }, found, state }: StalePartsOptions,
): boolean {
  const { since, generation = state?.generation ?? 0 } = found?.of(values) ?? {};
  return isOfOlderFile(there, name, since) || isBare(there, name, generation);
}

/** Those behind the first one, with the ETags that they had then. */
function partsOf(previous: readonly ListedFile[], written: ReadonlyMap<string, WrittenSeries>): ListedPart[] {
  return previous.flatMap(({ file: { name, part, etag }, series }) => {
    if (part === 1 || etag === undefined || !written.get(series.name)?.isBegun) return [];
    return [{ name, etag, part, series: series.name }];
  });
}

/**
 * Their values are those of no row any more. A run that leaves empty files out leaves all
 * files as they are where it has no row.
 */
function filesOfGonePartitions(
  previous: readonly ListedFile[],
  written: ReadonlyMap<string, WrittenSeries>,
  { activation, full, staged }: StalePartsOptions,
): GonePart[] {
  if (!full || (staged.length === 0 && activation.onEmpty !== 'write')) return [];
  const present = new Set(staged.map(({ partition }) => JSON.stringify(partition?.values)));
  const names = new Set(staged.map(({ name }) => name));
  return previous.flatMap(({ file: { name, etag }, values, series }) => {
    if (values === undefined || etag === undefined) return [];
    if (present.has(JSON.stringify(values)) || names.has(name) || written.has(series.name)) return [];
    return [{ name, etag, series: series.name }];
  });
}

/** No row may stay of a file that runs append to, which the run begins again. */
function appendedToGonePartitions(
  written: ReadonlyMap<string, WrittenSeries>,
  options: StalePartsOptions,
): GonePart[] {
  const { activation, full, state } = options;
  if (!full || activation.partitionBy === undefined || activation.ifExists !== 'append') return [];
  const nameOf = (part: number, values: PartitionValues | undefined): string =>
    seriesOf(options, undefined, values).nameOf(part);
  const gone = currentFiles(state, activation, nameOf).filter(({ name }) => !written.has(name));
  return gone.flatMap(({ name, partition, parts }) =>
    Array.from({ length: parts }, (_, index) => ({ name: nameOf(index + 1, partition), series: name })),
  );
}

interface ListedFile {
  readonly file: RunFile;
  readonly values: PartitionValues | undefined;
  readonly series: Series;
}

/** Files of the previous manifest whose names this run would give as well. */
function listedFiles(options: StalePartsOptions): ListedFile[] {
  const { activation, previous } = options;
  return (previous?.files ?? []).flatMap(file => {
    const values = activation.partitionBy && partitionOfFile(file, activation.partitionBy);
    if (activation.partitionBy !== undefined && values === undefined) return [];
    const series = namedSeries(options, file.change, values);
    return series?.nameOf(file.part) === file.name ? [{ file, values, series }] : [];
  });
}

/** Nothing where the name that there was cannot be one now. */
function namedSeries(...of: Parameters<typeof seriesOf>): Series | undefined {
  try {
    return seriesOf(...of);
  } catch (error) {
    if (error instanceof FileNameInvalidError) return undefined;
    throw error;
  }
}
