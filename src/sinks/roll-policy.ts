/** When a file is full and the next part begins: the limits as data, and the decision. */

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * Azure commits at most 50,000 blocks a blob; the rest is left for the blocks that an
 * appended blob already has.
 */
export const MAX_BLOCKS_PER_FILE = 45_000;
/** What Azure takes in one Put Block. */
export const MAX_BLOCK_BYTES = 4000 * MiB;
export const DEFAULT_BLOCK_BYTES = 8 * MiB;

/** The limits of every file of a run. None is ever exceeded, not by one byte or row. */
export interface RollPolicy {
  /**
   * Bytes as stored, after compression, everything included. `Infinity` where there is no
   * limit.
   */
  readonly maxFileBytes: number;
  readonly maxFileRows: number;
  readonly maxBlocks: number;
  /** Bytes of a block, unless a single row needs a larger one. */
  readonly blockBytes: number;
  /** So that a later run can leave it out and continue the file. */
  readonly endInBlockOfItsOwn: boolean;
}

export interface RollOptions {
  readonly maxFileBytes?: number | undefined;
  readonly maxFileRows?: number | undefined;
  readonly maxBlocks?: number | undefined;
  /**
   * Default: 8 MiB, more where `maxFileBytes` would otherwise take too many blocks, never
   * more than a file.
   */
  readonly blockBytes?: number | undefined;
  readonly endInBlockOfItsOwn?: boolean | undefined;
}

export function rollPolicy(options: RollOptions): RollPolicy {
  const { maxFileBytes = Infinity, maxFileRows = Infinity, maxBlocks = MAX_BLOCKS_PER_FILE } = options;
  const asked = options.blockBytes ?? blockBytesFor(maxFileBytes, maxBlocks);
  const blockBytes = Math.min(asked, maxFileBytes, MAX_BLOCK_BYTES);
  for (const [name, value] of Object.entries({ maxFileBytes, maxFileRows, maxBlocks, blockBytes })) {
    if (value >= 1 && (Number.isSafeInteger(value) || value === Infinity)) continue;
    throw new RangeError(`${name} must be a whole number above 0, not ${value}`);
  }
  const { endInBlockOfItsOwn = false } = options;
  return { maxFileBytes, maxFileRows, maxBlocks, blockBytes, endInBlockOfItsOwn };
}

function blockBytesFor(maxFileBytes: number, maxBlocks: number): number {
  if (maxFileBytes === Infinity) return DEFAULT_BLOCK_BYTES;
  return Math.max(DEFAULT_BLOCK_BYTES, Math.ceil(maxFileBytes / maxBlocks));
}

/**
 * Whether a compressed file whose size is known exactly is worth going on with when
 * `room` more bytes surely fit. Each step towards the limit costs a wait and compresses
 * less; this little may stay unused.
 */
export function isWorthFilling(policy: RollPolicy, room: number): boolean {
  return room >= Math.min(16 * KiB, policy.maxFileBytes / 16);
}
