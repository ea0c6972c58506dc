import { type Encoder, isBuffering, type RowGroup } from '../../encoders/encoder.ts';
import { SluiceError } from '../../errors.ts';
import { atOnce } from '../../sinks/at-once.ts';
import { blockIds } from '../../sinks/block-ids.ts';
import type { FileCompression } from '../../sinks/bodies/file-compression.ts';
import { crc64 } from '../../sinks/checksums/crc64-module.ts';
import { MAX_BLOCKS_PER_FILE } from '../../sinks/roll-policy.ts';
import type { BlobStore, ChecksumName, StagedFile } from '../../sinks/sink.ts';
import type { SliceResult } from './sliced-plan.ts';

export interface JoinOptions {
  /** In the order of the slices. */
  readonly results: readonly SliceResult[];
  readonly run: string;
  readonly name: string;
  /** One whose rows can be joined, which nothing was written by. */
  readonly encoder: Encoder;
  /** Present where the rows are compressed. */
  readonly compression: FileCompression | undefined;
  readonly store: Pick<BlobStore, 'stageBlock'>;
  readonly checksums: readonly ChecksumName[];
  readonly writesEmpty: boolean;
  readonly encryptionScope: string | undefined;
}

/** Blocks of a file, or one of those that stand between them. */
interface Piece {
  readonly blockIds: readonly string[];
  readonly bytes: number;
  readonly crc64: bigint;
}

/**
 * One file of the rows that slices have staged: what precedes, separates and follows them
 * is staged here. Its blocks have the same ids and bytes whoever joins.
 */
export async function joinSlices(options: JoinOptions): Promise<readonly StagedFile[]> {
  const { results, name, encoder, compression, checksums, writesEmpty } = options;
  const rows = results.reduce((sum, result) => sum + result.rows, 0);
  if (rows === 0 && !writesEmpty) return [];
  const texts: Uint8Array[] = [];
  const places: (number | SliceResult)[] = [];
  const write = (text: Uint8Array): void => {
    if (text.length > 0) places.push(texts.push(compression?.apart(Buffer.from(text)) ?? text) - 1);
  };
  write(written(encoder.beginBytes, out => encoder.begin(out)));
  for (const result of results.filter(({ files }) => files.length > 0)) {
    if (isBuffering(encoder)) for (const rowGroup of rowGroupsOf(result)) encoder.adopt!(rowGroup);
    else if (places.some(place => typeof place === 'object')) write(encoder.separator!);
    places.push(result);
  }
  encoder.resume?.(rows);
  write(written(encoder.endBytes, out => encoder.end(out)));
  // A file of no text is not a compressed one.
  if (places.length === 0 && compression) places.push(texts.push(compression.apart(Buffer.alloc(0))) - 1);

  const own = await stageTexts(texts, options);
  const pieces = places.map(place => (typeof place === 'number' ? own[place]! : pieceOf(place)));
  const ids = pieces.flatMap(({ blockIds }) => blockIds);
  if (ids.length > MAX_BLOCKS_PER_FILE) {
    const message = `${name} would take ${ids.length} blocks, and a file may have ${MAX_BLOCKS_PER_FILE}`;
    const hint = 'raise blockSize of the activation, and begin again';
    throw new SluiceError('ROW_TOO_LARGE', message, { stage: 'destination', hint });
  }
  const sum = pieces.reduce((crc, piece) => crc64().join(crc, piece.crc64, piece.bytes), 0n);
  return [
    {
      name,
      part: 1,
      blockIds: ids,
      rows,
      bytes: pieces.reduce((total, { bytes }) => total + bytes, 0),
      checksums: checksums.includes('crc64') ? { crc64: sum.toString(16).padStart(16, '0') } : {},
    },
  ];
}

function rowGroupsOf({ files: [file] }: SliceResult): RowGroup[] {
  return file!.rowGroups!.map(({ metadata, ...rowGroup }) => ({
    ...rowGroup,
    metadata: Buffer.from(metadata, 'base64'),
  }));
}

function pieceOf({ files: [file] }: SliceResult): Piece {
  const { blockIds, bytes, checksums } = file!;
  return { blockIds, bytes, crc64: BigInt(`0x${checksums.crc64!}`) };
}

async function stageTexts(
  texts: readonly Uint8Array[],
  { run, name, store, encryptionScope }: JoinOptions,
): Promise<readonly Piece[]> {
  const idOf = blockIds({ runId: run, fileIndex: 0, attempt: 0 });
  const numbered = texts.map((text, index) => ({ text, id: idOf(index) }));
  return atOnce(numbered, async ({ text, id }) => {
    const sum = crc64().of(text);
    await store.stageBlock(name, id, text, {
      crc64: sum,
      ...(encryptionScope !== undefined && { encryptionScope }),
    });
    return { blockIds: [id], bytes: text.length, crc64: sum };
  });
}

function written(
  room: number,
  write: (out: { bytes: Buffer; position: number; limit: number }) => void,
): Uint8Array {
  const out = { bytes: Buffer.alloc(room), position: 0, limit: room };
  write(out);
  return out.bytes.subarray(0, out.position);
}
