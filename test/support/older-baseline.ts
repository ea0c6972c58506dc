import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Baseline, type BaselineState } from '../../src/baseline/baseline.ts';
import { DeltaLogWriter } from '../../src/baseline/delta-log.ts';
import { EMPTY_DIGEST, HASH_WORDS, recordDigest, sumOf } from '../../src/baseline/key-table.ts';
import type { HashSeed } from '../../src/baseline/murmur-hash.ts';
import { Change } from '../../src/row-batch.ts';
import { FormerHasher } from '../../src/transforms/former-hasher.ts';
import { KeyFields } from '../../src/transforms/key-fields.ts';
import { type Row, toBatch } from './row-batches.ts';

export const OLDER_SEED: HashSeed = [0x3ade68b1, -1234567890, 42, 0x7fffffff];

/**
 * Two texts of which MurmurHash3 has the same hash, whatever its seed, where they begin
 * at a block of 16 bytes.
 */
export const COLLIDING = [
  '!!.kfillfillCF!v!!!!fillfillfill',
  ')D\u00ADfillfill\u00A0e !!4ufillfillfill',
] as const;
/** Fills the first block together with the length of the field. */
export const BLOCK = '123456789012';

/**
 * Puts in the place of a baseline the one that an older version would have made of these
 * rows.
 */
export async function makeOlder(
  directory: string,
  rows: readonly Row[],
  { keyFields = [0] }: { readonly keyFields?: readonly number[] } = {},
): Promise<void> {
  const present = await Baseline.open(directory);
  const { hashing: _, ...told } = present.state!;
  await present.close();
  await rm(directory, { recursive: true });
  const older = await Baseline.open(directory);
  await applyOlder(older, rows, told, keyFields);
  await older.close();
}

/** Brings a baseline to the one that an older version would have made of these rows. */
export async function applyOlder(
  baseline: Baseline,
  rows: readonly Row[],
  next: Omit<BaselineState, 'hashing'>,
  keyFields: readonly number[] = [0],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-older-'));
  try {
    const key = new KeyFields(keyFields);
    const batch = toBatch(rows);
    const hashes = new FormerHasher(OLDER_SEED, key).hash(
      batch,
      new Uint8Array(rows.length).fill(Change.added),
    );
    const path = join(folder, 'delta');
    const deltaLog = await DeltaLogWriter.create(path, { keepsValues: next.retained !== 'nothing' });
    let digest = EMPTY_DIGEST;
    for (let row = 0; row < rows.length; row++) {
      const [start, end] = [batch.rowBounds[2 * row]!, batch.rowBounds[2 * row + 1]!];
      const value = next.retained === 'key' ? key.copyOf(batch, row) : batch.bytes.subarray(start, end);
      deltaLog.upsert(hashes, row * HASH_WORDS, value, 0, value.length);
      digest = sumOf(digest, recordDigest(hashes, row * HASH_WORDS));
    }
    await deltaLog.seal({});
    const { hashing: _, ...told } = next as BaselineState;
    await baseline.apply(path, { ...told, count: rows.length, digest, seed: OLDER_SEED }, { replace: true });
  } finally {
    await rm(folder, { recursive: true });
  }
}
