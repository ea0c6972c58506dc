import type { ResolvedFormat } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { runOfBlock } from '../sinks/block-ids.ts';
import type { BlobStore, BlockLists, ResumePoint } from '../sinks/sink.ts';
import { FORMAT_METADATA, formatOptions, ROWS_BEFORE_METADATA, ROWS_METADATA } from './decide.ts';

export interface ResumeOptions {
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

/**
 * Where rows are appended: the last part of the file that is there. `undefined` where there is none yet. Throws
 * DESTINATION_REFUSED for a file that was not written to be gone on with.
 */
export async function findResumePoint(options: ResumeOptions): Promise<ResumePoint | undefined> {
  const { store, blockLists, activation, format, nameOf, hasEnd, generation } = options;
  let part = 0;
  while ((await store.head(nameOf(part + 1))) !== undefined) part++;
  if (part === 0) return undefined;
  const name = nameOf(part);
  const there = await blockLists.getBlocks(name);
  if (there === undefined) return undefined;
  const { metadata } = there;
  const isWithdrawn = Number(metadata['generation']) > generation;
  const rows = Number(metadata[isWithdrawn ? ROWS_BEFORE_METADATA : ROWS_METADATA] ?? Number.NaN);
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
  const kept = isWithdrawn ? document.filter(({ id }) => runOfBlock(id) !== metadata['run']) : document;
  const bytes = kept.reduce((sum, block) => sum + block.bytes, 0);
  return { name, part, blockIds: kept.map(({ id }) => id), bytes, rows, etag: there.etag };
}

/** Parts behind those of this run that an earlier run of the activation wrote. */
export async function findLaterParts(
  { store, activation, nameOf }: Pick<ResumeOptions, 'store' | 'activation' | 'nameOf'>,
  parts: number,
): Promise<{ name: string; etag: string }[]> {
  const later: { name: string; etag: string }[] = [];
  for (let part = parts + 1; ; part++) {
    const there = await store.head(nameOf(part));
    if (there === undefined) return later;
    if (there.metadata['sluice'] === activation) later.push({ name: nameOf(part), etag: there.etag });
  }
}
