import { BUCKETS, bucketOf, HASH_WORDS } from './key-table.ts';

/**
 * How the baseline lies in LevelDB: as the frames of the delta logs that made it, cut
 * into pages.
 *
 *   key      = 'p', epoch u32, chunk u32, section u8, bucket u16, kind u8, sequence u16   (big-endian, so that they sort)
 *   section  0, hashes: kind 0 has 24-byte records of keys that came or changed, kind 1 has 16-byte keys that left
 *            1, values of the hash page of otherwise the same key: count u32, count + 1 offsets u32, bytes
 *
 * A chunk is one frame. Chunks apply in order: a later record of a key replaces an
 * earlier one. A large chunk is sorted by bucket, so that one bucket can be read alone; a
 * small one is not, and has `MIXED_BUCKET`. An epoch is one life of the whole: a new
 * baseline or a compaction writes a new epoch beside the old one. Keys grow with time, so
 * LevelDB's files do not overlap and it has nothing to merge.
 */
export const MIXED_BUCKET = 0xffff;
export const PAGE_RECORDS = 1024;
const PAGE_VALUE_BYTES = 256 * 1024;
const SMALL_CHUNK_RECORDS = 4096;

export const PageKind = { upserts: 0, removals: 1 } as const;
export type PageKind = (typeof PageKind)[keyof typeof PageKind];

const PREFIX = 0x70;
const HASHES = 0;
const VALUES = 1;
const KEY_BYTES = 15;
const SECTION_AT = 9;
const BUCKET_AT = 10;
const KIND_AT = 12;

export interface PageAddress {
  readonly epoch: number;
  readonly chunk: number;
  readonly bucket: number;
  readonly kind: PageKind;
  readonly sequence: number;
}

export function hashPageKey(address: PageAddress): Buffer {
  return encodeKey(HASHES, address);
}
/** The value page that belongs to the hash page with this key. */
export function valueKeyOf(hashKey: Buffer): Buffer {
  const key = Buffer.from(hashKey);
  key[SECTION_AT] = VALUES;
  return key;
}
export function kindOfKey(key: Buffer): number {
  return key[KIND_AT]!;
}
export function bucketOfKey(key: Buffer): number {
  return key.readUInt16BE(BUCKET_AT);
}

interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

/**
 * The hash pages of a chunk that have the buckets `from` to `to - 1`; all pages without
 * them. As bounds for LevelDB.
 */
export function hashPageRange(epoch: number, chunk: number, from = 0, to = MIXED_BUCKET + 1): KeyRange {
  const at = (section: number, bucket: number): Buffer =>
    encodeKey(section, { epoch, chunk, bucket, kind: 0, sequence: 0 });
  return { gte: at(HASHES, from), lt: to > MIXED_BUCKET ? at(VALUES, 0) : at(HASHES, to) };
}

/**
 * Everything that the epochs `from` to `to - 1` have; without `to`, that `from` alone
 * has.
 */
export function epochRange(from: number, to = from + 1): KeyRange {
  const at = (epoch: number): Buffer =>
    encodeKey(HASHES, { epoch, chunk: 0, bucket: 0, kind: 0, sequence: 0 });
  return { gte: at(from), lt: at(to) };
}

function encodeKey(section: number, { epoch, chunk, bucket, kind, sequence }: PageAddress): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key[0] = PREFIX;
  key.writeUInt32BE(epoch, 1);
  key.writeUInt32BE(chunk, 5);
  key[SECTION_AT] = section;
  key.writeUInt16BE(bucket, BUCKET_AT);
  key[KIND_AT] = kind;
  key.writeUInt16BE(sequence, 13);
  return key;
}

export interface Page {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface ChunkRecords {
  readonly count: number;
  /** Words of the records, `stride` each: 6 for upserts, 4 for removals. */
  readonly words: Int32Array;
  readonly lengths?: Uint32Array | undefined;
  readonly values?: Buffer | undefined;
  /**
   * Sort by bucket however small it is; several chunks of one number may be written if
   * their buckets differ.
   */
  readonly byBucket?: boolean;
}

/** Cuts one chunk into pages; the same chunk always gives the same pages. */
export function* pagesOfChunk(
  epoch: number,
  chunk: number,
  kind: PageKind,
  records: ChunkRecords,
): Generator<Page> {
  const stride = kind === PageKind.upserts ? HASH_WORDS : 4;
  const { count, words, lengths, values } = records;
  const valueStarts = lengths && startsOf(lengths);
  const sorted = records.byBucket === true || count > SMALL_CHUNK_RECORDS;
  const order = sorted ? orderByBucket(words, stride, count) : undefined;
  let index = 0;
  let bucket = -1;
  let sequence = 0;
  while (index < count) {
    const inBucket = sorted ? bucketOf(words[order![index]! * stride]!) : MIXED_BUCKET;
    sequence = inBucket === bucket ? sequence + 1 : 0;
    bucket = inBucket;
    let end = index;
    let valueBytes = 0;
    while (end < count && end - index < PAGE_RECORDS) {
      const record = order ? order[end]! : end;
      if (sorted && bucketOf(words[record * stride]!) !== bucket) break;
      valueBytes += lengths ? lengths[record]! : 0;
      if (end > index && valueBytes > PAGE_VALUE_BYTES) break;
      end++;
    }
    const address = { epoch, chunk, bucket, kind, sequence };
    const page = new Int32Array((end - index) * stride);
    const pageValues: Buffer[] = [];
    for (let i = index; i < end; i++) {
      const record = order ? order[i]! : i;
      page.set(words.subarray(record * stride, (record + 1) * stride), (i - index) * stride);
      if (lengths && values) {
        const start = valueStarts![record]!;
        pageValues.push(values.subarray(start, start + lengths[record]!));
      }
    }
    const key = hashPageKey(address);
    yield { key, value: Buffer.from(page.buffer) };
    if (lengths) yield { key: valueKeyOf(key), value: encodeValuePage(pageValues) };
    index = end;
  }
}

export function encodeValuePage(values: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(4 + 4 * (values.length + 1));
  head.writeUInt32LE(values.length, 0);
  let offset = head.length;
  values.forEach((value, index) => {
    head.writeUInt32LE(offset, 4 + 4 * index);
    offset += value.length;
  });
  head.writeUInt32LE(offset, 4 + 4 * values.length);
  return Buffer.concat([head, ...values], offset);
}

/** The values of one record of a page. */
export function valueInPage(page: Buffer, index: number): Buffer {
  const at = 4 + 4 * index;
  return page.subarray(page.readUInt32LE(at), page.readUInt32LE(at + 4));
}

function startsOf(lengths: Uint32Array): Float64Array {
  const starts = new Float64Array(lengths.length);
  let start = 0;
  for (let index = 0; index < lengths.length; index++) {
    starts[index] = start;
    start += lengths[index]!;
  }
  return starts;
}

/** A stable counting sort of record numbers by bucket. */
function orderByBucket(words: Int32Array, stride: number, count: number): Uint32Array {
  const next = new Uint32Array(BUCKETS + 1);
  for (let record = 0; record < count; record++) next[bucketOf(words[record * stride]!) + 1]!++;
  for (let bucket = 0; bucket < BUCKETS; bucket++) next[bucket + 1]! += next[bucket]!;
  const order = new Uint32Array(count);
  for (let record = 0; record < count; record++) order[next[bucketOf(words[record * stride]!)]!++] = record;
  return order;
}
