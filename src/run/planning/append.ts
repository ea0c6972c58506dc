import type { BaselineState } from '../../baseline/baseline.ts';
import type { ResolvedFormat } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import {
  COLUMNS_METADATA,
  columnsText,
  FORMAT_METADATA,
  formatOptions,
  isWithdrawn,
  ROWS_BEFORE_METADATA,
  ROWS_METADATA,
} from '../../publish/append/append-metadata.ts';
import type { AppendedFiles } from '../../publish/append/appended-files.ts';
import {
  type AppendedParts,
  canGoOnWith,
  firstFreePart,
  highestKnown,
} from '../../publish/append/appended-parts.ts';
import type { PartitionValues } from '../../publish/partition-of-file.ts';
import type { Column } from '../../row-batch.ts';
import { runOfBlock } from '../../sinks/block-ids.ts';
import type { BlobBlocks, BlobStore, BlockLists, ResumePoint } from '../../sinks/sink.ts';

export interface AppendOptions {
  readonly files: AppendedFiles;
  /** The partition whose file it is, where files are partitioned. */
  readonly values?: PartitionValues | undefined;
  readonly activation: string;
  readonly blockLists: BlockLists;
  readonly format: ResolvedFormat;
  /** Whether the format's documents end with something, which is then the last block. */
  readonly hasEnd: boolean;
  /** Columns of the rows to append. */
  readonly columns: readonly Pick<Column, 'name' | 'kind'>[];
  /** Whether the last run had the same: what is known of parts that do not say it. */
  readonly hasSameColumns: boolean;
}

export interface AppendPlan {
  /** Where rows are appended; absent where the run begins a part. */
  readonly resume: ResumePoint | undefined;
  /** The part that begins then. */
  readonly firstPart: number;
  /**
   * What is there holds rows that must go, so that the file is written even where the run
   * has no row for it.
   */
  readonly mustWrite: boolean;
}

export const NOTHING_TO_APPEND_TO: AppendPlan = { resume: undefined, firstPart: 1, mustWrite: false };

/** The plan of a run that rewrites the file: none of the existing rows may stay. */
export async function planAnew({
  store,
  activation,
  nameOf,
  state,
}: {
  readonly store: Pick<BlobStore, 'head'>;
  readonly activation: string;
  readonly nameOf: (part: number) => string;
  readonly state: BaselineState | undefined;
}): Promise<AppendPlan> {
  for (let part = 1; part <= Math.max(1, highestKnown(state, nameOf(1))); part++) {
    const there = await store.head(nameOf(part));
    if (there?.metadata['sluice'] === activation && there.bytes > 0)
      return { ...NOTHING_TO_APPEND_TO, mustWrite: true };
  }
  return NOTHING_TO_APPEND_TO;
}

/**
 * Where rows are appended: the last part of the file that holds something published,
 * unless a later one is gone. Throws DESTINATION_REFUSED for a file that was not written
 * to be continued.
 */
export async function planAppend(options: AppendOptions): Promise<AppendPlan> {
  const { files, values } = options;
  return planBehind(await files.look(values), options);
}

async function planBehind(found: AppendedParts, options: AppendOptions): Promise<AppendPlan> {
  const { files, values, blockLists } = options;
  const { last, hasUnpublished, generation } = found;
  if (last === undefined || !canGoOnWith(found))
    return { resume: undefined, firstPart: firstFreePart(found), mustWrite: hasUnpublished };
  const there = await blockLists.getBlocks(last.name);
  // Somebody has taken it away meanwhile.
  if (there === undefined) return planBehind(await files.lookAgain(values), options);
  if (hasOtherColumns(there, generation, options))
    return { resume: undefined, firstPart: last.part + 1, mustWrite: hasUnpublished };
  // A withdrawn run takes its rows back by itself; where it could not, this one does.
  const resume = resumeFrom(there, last.part, found, options);
  return { resume, firstPart: last.part, mustWrite: hasUnpublished };
}

/**
 * Throws DESTINATION_REFUSED where rows would be left in the part that were never
 * published.
 */
function hasOtherColumns(
  { metadata }: BlobBlocks,
  generation: number,
  { columns, hasSameColumns, files, values }: AppendOptions,
): boolean {
  const text = metadata[COLUMNS_METADATA];
  if (text === undefined ? hasSameColumns : text === columnsText(columns)) return false;
  if (!isWithdrawn(metadata, generation)) return true;
  const message = `the columns of the rows have changed, and ${files.nameOf(1, values)} has rows of a run that could not be finished`;
  throw new SluiceError('DESTINATION_REFUSED', message, {
    stage: 'destination',
    hint: 'put the columns back for one run, which takes those rows out; or run with --full, which writes every row',
  });
}

function resumeFrom(
  there: BlobBlocks,
  part: number,
  { generation, hasUnpublished }: AppendedParts,
  { files, values, activation, format, hasEnd }: AppendOptions,
): ResumePoint {
  const { metadata } = there;
  const name = files.nameOf(part, values);
  const withdrawn = isWithdrawn(metadata, generation);
  const rows = Number(metadata[withdrawn ? ROWS_BEFORE_METADATA : ROWS_METADATA] ?? Number.NaN);
  const madeOfBlocks = there.blocks.reduce((sum, { bytes }) => sum + bytes, 0) === there.bytes;
  if (metadata['sluice'] !== activation || !Number.isSafeInteger(rows) || !madeOfBlocks) {
    throw new SluiceError('DESTINATION_REFUSED', `${name} was not written to be appended to`, {
      stage: 'destination',
      hint: 'move it away or change fileName; or run with --full, which overwrites it',
    });
  }
  if ((metadata[FORMAT_METADATA] ?? formatOptions(format)) !== formatOptions(format)) {
    throw new SluiceError('DESTINATION_REFUSED', `${name} was written with other format options`, {
      stage: 'destination',
      hint: 'put the options back or change fileName; or run with --full, which overwrites it',
    });
  }
  const document = hasEnd ? there.blocks.slice(0, -1) : there.blocks;
  const kept = withdrawn ? document.filter(({ id }) => runOfBlock(id) !== metadata['run']) : document;
  return {
    name,
    part,
    blockIds: kept.map(({ id }) => id),
    bytes: kept.reduce((sum, block) => sum + block.bytes, 0),
    rows,
    etag: there.etag,
    hasEnd,
    mustWrite: hasUnpublished || kept.length < document.length,
  };
}
