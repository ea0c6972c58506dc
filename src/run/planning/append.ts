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
} from '../../publish/append-metadata.ts';
import {
  type AppendedParts,
  allGoneMessage,
  areAllGone,
  canGoOnWith,
  firstFreePart,
  highestKnown,
  type LookOptions,
  lookAtParts,
} from '../../publish/appended-parts.ts';
import type { Column } from '../../row-batch.ts';
import { runOfBlock } from '../../sinks/block-ids.ts';
import type { BlobBlocks, BlockLists, ResumePoint } from '../../sinks/sink.ts';

export interface AppendOptions extends LookOptions {
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
  /** The parts as they were found; absent where the run begins the file again. */
  readonly found?: AppendedParts;
}

export const NOTHING_TO_APPEND_TO: AppendPlan = { resume: undefined, firstPart: 1, mustWrite: false };

/** The plan of a run that rewrites the file: none of the existing rows may stay. */
export async function planAnew({
  store,
  activation,
  nameOf,
  state,
}: Pick<AppendOptions, 'store' | 'activation' | 'nameOf'> & {
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
export async function planAppend(found: AppendedParts, options: AppendOptions): Promise<AppendPlan> {
  const { blockLists, nameOf } = options;
  const { last, hasUnpublished } = found;
  if (last === undefined || !canGoOnWith(found))
    return { resume: undefined, firstPart: firstFreePart(found), mustWrite: hasUnpublished, found };
  const there = await blockLists.getBlocks(last.name);
  // Somebody has taken it away meanwhile.
  if (there === undefined) return planAppend(await lookAgain(options), options);
  if (hasOtherColumns(there, options))
    return { resume: undefined, firstPart: last.part + 1, mustWrite: hasUnpublished, found };
  // A withdrawn run takes its rows back by itself; where it could not, this one does.
  const resume = resumeFrom(there, last.part, hasUnpublished, nameOf(last.part), options);
  return { resume, firstPart: last.part, mustWrite: hasUnpublished, found };
}

/**
 * Throws DESTINATION_REFUSED where rows would be left in the part that were never
 * published.
 */
function hasOtherColumns(
  { metadata }: BlobBlocks,
  { columns, hasSameColumns, state, nameOf }: AppendOptions,
): boolean {
  const text = metadata[COLUMNS_METADATA];
  if (text === undefined ? hasSameColumns : text === columnsText(columns)) return false;
  if (!isWithdrawn(metadata, state.generation)) return true;
  const message = `the columns of the rows have changed, and ${nameOf(1)} has rows of a run that could not be finished`;
  throw new SluiceError('DESTINATION_REFUSED', message, {
    stage: 'destination',
    hint: 'put the columns back for one run, which takes those rows out; or run with --full, which writes every row',
  });
}

async function lookAgain(options: AppendOptions): Promise<AppendedParts> {
  const found = await lookAtParts(options);
  if (!areAllGone(found)) return found;
  throw new SluiceError('DESTINATION_RESET', allGoneMessage(found, options.nameOf), { stage: 'destination' });
}

function resumeFrom(
  there: BlobBlocks,
  part: number,
  mustWrite: boolean,
  name: string,
  { activation, format, hasEnd, state: { generation } }: AppendOptions,
): ResumePoint {
  const { metadata } = there;
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
    mustWrite: mustWrite || kept.length < document.length,
  };
}
