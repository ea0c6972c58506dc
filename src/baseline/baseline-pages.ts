import { BUCKETS, bucketOf, HASH_WORDS } from './key-table.ts';

/**
 * How the baseline lies in LevelDB: as the frames of the delta logs that made it, cut into pages.
 *
 *   key   = 'r' or 'v', epoch u32, chunk u32, bucket u16, kind u8, sequence u16      (big-endian, so that they sort)
 *   'r'   hashes: kind 0 has 24-byte records of keys that came or changed, kind 1 has 16-byte keys that left
 *   'v'   values of the page of the same key: count u32, count + 1 offsets u32, bytes
 *
 * A chunk is one frame. Chunks apply in order: a later record of a key replaces an earlier one. A large chunk is sorted
 * by bucket, so that one bucket can be read alone; a small one is not, and has `MIXED_BUCKET`. An epoch is one life of
 * the whole: a new baseline or a compaction writes a new epoch beside the old one.
 */
export const MIXED_BUCKET = 0xffff;
export const PAGE_RECORDS = 1024;
const PAGE_VALUE_BYTES = 256 * 1024;
const SMALL_CHUNK_RECORDS = 4096;

export const PageKind = { upserts: 0, removals: 1 } as const;
export type PageKind = (typeof PageKind)[keyof typeof PageKind];

const HASHES = 0x72;
const VALUES = 0x76;
const KEY_BYTES = 14;

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
export function valuePageKey(address: PageAddress): Buffer {
  return encodeKey(VALUES, address);
}
/** The value page that belongs to the hash page with this key. */
export function valueKeyOf(hashKey: Buffer): Buffer {
  const key = Buffer.from(hashKey);
  key[0] = VALUES;
  return key;
}
export function kindOfKey(key: Buffer): number {
  return key[11]!;
}

/** All pages of an epoch, of one of its chunks, or of one bucket of that, as bounds for LevelDB. */
export function hashPageRange(
  epoch: number,
  chunks: readonly [number, number],
  bucket?: number,
): { gte: Buffer; lt: Buffer } {
  const at = (chunk: number, inBucket: number): Buffer =>
    encodeKey(HASHES, { epoch, chunk, bucket: inBucket, kind: 0, sequence: 0 });
  if (bucket === undefined) return { gte: at(chunks[0], 0), lt: at(chunks[1], 0) };
  return bucket === MIXED_BUCKET
    ? { gte: at(chunks[0], bucket), lt: at(chunks[0] + 1, 0) }
    : { gte: at(chunks[0], bucket), lt: at(chunks[0], bucket + 1) };
}

/** Everything that an epoch has, as two ranges. */
export function epochRanges(epoch: number): { gte: Buffer; lt: Buffer }[] {
  return [HASHES, VALUES].map(prefix => ({
    gte: encodeKey(prefix, { epoch, chunk: 0, bucket: 0, kind: 0, sequence: 0 }),
    lt: encodeKey(prefix, { epoch: epoch + 1, chunk: 0, bucket: 0, kind: 0, sequence: 0 }),
  }));
}

function encodeKey(prefix: number, { epoch, chunk, bucket, kind, sequence }: PageAddress): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key[0] = prefix;
  key.writeUInt32BE(epoch, 1);
  key.writeUInt32BE(chunk, 5);
  key.writeUInt16BE(bucket, 9);
  key[11] = kind;
  key.writeUInt16BE(sequence, 12);
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
  /** Sort by bucket however small it is; several chunks of one number may be written if their buckets differ. */
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
    yield { key: hashPageKey(address), value: Buffer.from(page.buffer) };
    if (lengths) yield { key: valuePageKey(address), value: encodeValuePage(pageValues) };
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
