import type { ResolvedFormat } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { runOfBlock } from '../sinks/block-ids.ts';
import type { BlobBlocks, BlobProperties, BlobStore, BlockLists, ResumePoint } from '../sinks/sink.ts';
import {
  BEGUN_ANEW,
  FORMAT_METADATA,
  formatOptions,
  isBare,
  isWithdrawn,
  ROWS_BEFORE_METADATA,
  ROWS_METADATA,
  SINCE_METADATA,
} from './append-metadata.ts';

export interface AppendOptions {
  readonly store: Pick<BlobStore, 'head'>;
  readonly blockLists: BlockLists;
  readonly activation: string;
  readonly format: ResolvedFormat;
  readonly nameOf: (part: number) => string;
  /** Whether the format's documents end with something, which is then the last block. */
  readonly hasEnd: boolean;
  /** What was published last. Blocks of a later generation are of a run that was withdrawn. */
  readonly generation: number;
}

export interface AppendPlan {
  /** Where rows are appended; absent where the file begins with the run. */
  readonly resume: ResumePoint | undefined;
  /** What is there holds rows that must go, so that the file is written even where the run has no row for it. */
  readonly mustWrite: boolean;
  /** The run that began the file; absent where that is the run itself. */
  readonly since?: string | undefined;
}

export const NOTHING_TO_APPEND_TO: AppendPlan = { resume: undefined, mustWrite: false };

/** Of a run that begins the file anew: none of the rows that are there may stay. */
export async function planAnew({
  store,
  activation,
  nameOf,
}: Pick<AppendOptions, 'store' | 'activation' | 'nameOf'>): Promise<AppendPlan> {
  const there = await store.head(nameOf(1));
  return { resume: undefined, mustWrite: there?.metadata['sluice'] === activation && there.bytes > 0 };
}

/**
 * Where rows are appended: the last part of the file that holds something published. Throws DESTINATION_REFUSED for a
 * file that was not written to be gone on with.
 */
export async function planAppend(options: AppendOptions): Promise<AppendPlan> {
  const { blockLists, activation, nameOf, generation } = options;
  const parts = await partsThere(options);
  const lost = parts.find(
    ({ metadata }) => isWithdrawn(metadata, generation) && metadata[ROWS_BEFORE_METADATA] === BEGUN_ANEW,
  );
  if (lost) {
    const message = `a full run began ${lost.name} anew and could not be finished: rows of earlier runs are gone from it`;
    throw new SluiceError('DESTINATION_REFUSED', message, {
      stage: 'destination',
      hint: 'run with --full, which writes every row',
    });
  }
  // A withdrawn run takes its rows back by itself; where it could not, this one does.
  let mustWrite = false;
  const since = parts[0]?.metadata[SINCE_METADATA];
  for (let last = parts.at(-1); last !== undefined; last = parts.at(-1)) {
    const isStale = last.metadata['sluice'] === activation && last.metadata[SINCE_METADATA] !== since;
    if (!isStale && !isBare(last, activation, generation)) break;
    mustWrite ||= !isStale && last.bytes > 0;
    parts.pop();
  }
  const last = parts.at(-1);
  if (last === undefined) return { resume: undefined, mustWrite };
  const there = await blockLists.getBlocks(last.name);
  // Somebody has taken it away meanwhile: what is behind it is to be looked for anew.
  if (there === undefined) return planAppend(options);
  const resume = resumeFrom(there, parts.length, mustWrite, nameOf(parts.length), options);
  return { resume, mustWrite, since };
}

function resumeFrom(
  there: BlobBlocks,
  part: number,
  mustWrite: boolean,
  name: string,
  { activation, format, hasEnd, generation }: AppendOptions,
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

async function partsThere({
  store,
  nameOf,
}: AppendOptions): Promise<(BlobProperties & { readonly name: string })[]> {
  const parts: (BlobProperties & { readonly name: string })[] = [];
  for (;;) {
    const name = nameOf(parts.length + 1);
    const there = await store.head(name);
    if (there === undefined) return parts;
    parts.push({ name, ...there });
  }
}
