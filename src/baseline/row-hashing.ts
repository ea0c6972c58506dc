import { randomBytes } from 'node:crypto';
import type { HashSeed } from './murmur-hash.ts';

/**
 * What a baseline notes of how its keys and rows are hashed: it can be compared with by
 * the same function only.
 */
export const HASH_FUNCTION = 'siphash-2-4-128/1-3-64';

/** Part of a baseline. Holds its secret, which is shown nowhere. */
export interface RowHashing {
  readonly function: string;
  /** 16 bytes in hexadecimal digits. Who knows them can choose keys whose hashes meet. */
  readonly secret: string;
  /**
   * Keys of sync mode `insert` that had left the source when the baseline was carried
   * over from MurmurHash3: known by that hash alone until they come back. So many are
   * left.
   */
  readonly former?: { readonly seed: HashSeed; readonly count: number } | undefined;
}

/** How the state of a baseline says how its rows are hashed. */
export interface HashedState {
  /** Absent where an older version made the baseline. */
  readonly hashing?: RowHashing | undefined;
  /** Seed of MurmurHash3, which older versions used. */
  readonly seed?: HashSeed | undefined;
}

/** Hashes of two baselines have nothing in common. */
export function newRowHashing(): RowHashing {
  return { function: HASH_FUNCTION, secret: randomBytes(16).toString('hex') };
}

/**
 * Whether a baseline can be compared with; where it has no `hashing` it is carried over.
 */
export function isKnownHashing({ hashing, seed }: HashedState): boolean {
  return hashing === undefined ? seed !== undefined : hashing.function === HASH_FUNCTION;
}

/** What must be equal where two states are of one baseline. */
export function hashingText({ hashing, seed }: HashedState): string {
  return JSON.stringify(hashing === undefined ? seed : [hashing.function, hashing.secret, hashing.former]);
}
