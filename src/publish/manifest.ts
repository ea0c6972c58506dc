import * as z from 'zod';
import type { ResolvedFormat } from '../config/activation.ts';
import { type FileKind, fileKind, MANIFEST_FOLDER } from '../config/file-name.ts';
import { describeMisfit } from '../config/tree/describe-misfit.ts';
import type { ChangeDetection, RunRecord } from '../history/run-record.ts';
import type { Column } from '../row-batch.ts';
import type { SourcePosition } from '../sources/source.ts';

/**
 * The small JSON blob, written last, that says what a run published. Consumers may rely
 * on its shape.
 */
export interface Manifest {
  readonly version: 1;
  readonly run: string;
  readonly activation: string;
  readonly generation: number;
  readonly previousGeneration: number;
  readonly runType: RunRecord['runType'];
  readonly full: boolean;
  /** The same as a word, as `{kind}` in file names has it. */
  readonly kind: FileKind;
  readonly syncMode: RunRecord['syncMode'];
  /** Values of the query's parameters, where it has some. */
  readonly params?: NonNullable<RunRecord['params']>;
  /**
   * Names these values, where there is a baseline, and with it a series of generations,
   * for each set of them.
   */
  readonly set?: string;
  readonly trigger: RunRecord['trigger'];
  readonly startedAt: string;
  readonly endedAt: string;
  readonly snapshotTime: string;
  /** Where the source stood then, as far as it shows that. */
  readonly position?: SourcePosition;
  /**
   * What the next delta is taken against: of this run, or of an earlier one where this
   * one keeps no state.
   */
  readonly baseline?: PublishedBaseline;
  /** With every option, as the files were written. */
  readonly format: ResolvedFormat;
  readonly columns: readonly ManifestColumn[];
  readonly files: RunRecord['files'];
  /** Names of the completion files, where the activation has any. */
  readonly completion?: readonly string[];
  readonly counts: RunRecord['counts'];
  /**
   * How changes were found, where the activation has it that not every row need be read.
   */
  readonly changeDetection?: ChangeDetection;
  /** How the source was read, where that was not done at once. */
  readonly slices?: NonNullable<RunRecord['slices']>;
  readonly warnings: RunRecord['warnings'];
}

/** What the destination knows of a baseline, should the machine that has it be lost. */
export interface PublishedBaseline {
  readonly generation: number;
  readonly run: string;
  readonly keys: number;
}

export interface ManifestColumn {
  readonly name: string;
  readonly source: string;
  /** As the source names it, and as the format wrote it. */
  readonly sourceType: string;
  readonly kind: Column['kind'];
}

export interface ManifestNames {
  readonly run: string;
  /** The newest, of the same set where there are sets: what the next run goes by. */
  readonly latest: string;
  /** The newest of all sets, where there are sets: for consumers alone. */
  readonly newest?: string;
}

export function manifestNames(
  folder: string,
  activation: string,
  { run, set }: { readonly run: string; readonly set?: string | undefined },
): ManifestNames {
  const names = { run: `${manifestFolder(folder, activation)}${run}.json` };
  const newest = `${manifestFolder(folder, activation)}latest.json`;
  if (set === undefined) return { ...names, latest: newest };
  return { ...names, latest: `${manifestFolder(folder, activation, set)}latest.json`, newest };
}

/** What Sluice keeps of an activation in its destination, or of a set of it. */
export function manifestFolder(folder: string, activation: string, set?: string): string {
  const own = `${folder}${MANIFEST_FOLDER}/${activation}/`;
  return set === undefined ? own : `${own}sets/${set}/`;
}

export function toManifestColumn({ name, source, sourceType, kind }: Column): ManifestColumn {
  return { name, source, sourceType, kind };
}

/**
 * No series of runs gets so far. A number near the limit of exact integers could not be
 * counted on from.
 */
const MAX_GENERATION = 2 ** 48;

/** What later runs go by; the rest is for consumers, and `verify` checks it. */
const keptManifest = z.looseObject({
  version: z.literal(1),
  run: z.string(),
  generation: z.int().min(0).max(MAX_GENERATION),
  files: z.array(
    z.looseObject({
      name: z.string(),
      part: z.int().min(1),
      change: z.enum(['added', 'updated', 'removed']).exactOptional(),
      partition: z.record(z.string(), z.string().nullable()).exactOptional(),
      etag: z.string().exactOptional(),
    }),
  ),
  set: z.string().exactOptional(),
  baseline: z
    .looseObject({ generation: z.int().min(0).max(MAX_GENERATION), run: z.string(), keys: z.int().min(0) })
    .exactOptional(),
});

export type ParsedManifest =
  | { readonly manifest: Manifest; readonly damage?: undefined }
  /** What is wrong with it, as in `files[0] is null; expected an object`. */
  | { readonly manifest?: undefined; readonly damage: string };

/** A manifest that some Sluice wrote, as far as a later run needs it. */
export function parseManifest(bytes: Buffer): ParsedManifest {
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch {
    return { damage: 'it is not JSON' };
  }
  const { error } = keptManifest.safeParse(content);
  return error === undefined ? { manifest: content as Manifest } : { damage: describeMisfit(error) };
}

export interface Manifested {
  readonly format: Manifest['format'];
  readonly plan: {
    readonly columns: readonly ManifestColumn[];
    readonly snapshotTime: string;
    readonly position: SourcePosition | undefined;
  };
  readonly baseline: Manifest['baseline'];
  readonly set: Manifest['set'];
}

/** What a run publishes, but for the ETags of its files and its end, which come last. */
export function manifestOf(record: RunRecord, { format, plan, baseline, set }: Manifested): Manifest {
  const { columns, snapshotTime, position } = plan;
  // One by one: a record may hold more, such as how a daemon came to make the run, which
  // is not for consumers.
  const { run, activation, trigger, runType, syncMode, full, generation, previousGeneration } = record;
  const { startedAt, counts, changeDetection, slices, params, files, completion, warnings } = record;
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
    ...(params && { params }),
    ...(set !== undefined && { set }),
    ...(changeDetection && { changeDetection }),
    ...(slices && { slices }),
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

/** The baseline of that set that was published last; `undefined` where none ever was. */
export function publishedBaseline(latest: Manifest, set: Manifest['set']): PublishedBaseline | undefined {
  if (latest.set !== set) return undefined;
  const { baseline, runType, generation, run, counts } = latest;
  // Earlier versions did not write it: the rows that were read are the keys that were
  // there.
  if (baseline !== undefined || runType !== 'full_then_delta') return baseline;
  return { generation, run, keys: (counts?.read ?? 0) - (counts?.skipped ?? 0) };
}
