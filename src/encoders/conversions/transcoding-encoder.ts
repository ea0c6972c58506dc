import { SluiceError } from '../../errors.ts';
import type { Column, RowBatch } from '../../row-batch.ts';
import type { Encoder, OutputBuffer } from '../encoder.ts';
import { type CharacterEncoding, type CharacterSet, characterSetOf } from './character-set.ts';

/**
 * Rows are encoded so many bytes at a time, before they are written in the other
 * encoding.
 */
const CHUNK_BYTES = 64 * 1024;
/** A byte of UTF-8 becomes at most two of UTF-16. */
const GROWTH = 2;

/**
 * Writes what an encoder writes in UTF-8 in another encoding, which holds every value:
 * see `textHolding`.
 */
export class TranscodingEncoder implements Encoder {
  readonly beginBytes: number;
  readonly endBytes = 0;
  readonly #encoder: Encoder;
  readonly #set: CharacterSet;
  readonly #head: Buffer;
  readonly #scratch = Buffer.allocUnsafe(CHUNK_BYTES);

  /** Fails with VALUE_NOT_EXPRESSIBLE where the encoding cannot hold a column's name. */
  constructor(encoder: Encoder, columns: readonly Column[], encoding: CharacterEncoding) {
    this.#encoder = encoder;
    this.#set = characterSetOf(encoding);
    for (const { name } of columns) {
      const misfit = this.#set.misfitOf(Buffer.from(name));
      if (misfit === undefined) continue;
      const message = `the name of column ${JSON.stringify(name)} holds ${misfit}, which ${encoding} does not have`;
      throw new SluiceError('VALUE_NOT_EXPRESSIBLE', message, {
        stage: 'encoding',
        hint: 'give the column another name in the mapping, or set format.encoding: utf-8',
      });
    }
    const head = { bytes: Buffer.allocUnsafe(encoder.beginBytes), position: 0, limit: encoder.beginBytes };
    encoder.begin(head);
    this.#head = this.#set.encode(head.bytes.toString('utf8', 0, head.position));
    this.beginBytes = this.#head.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#head.copy(out.bytes, out.position);
  }

  resume(rows: number): void {
    this.#encoder.resume?.(rows);
  }

  end(): void {}

  rowBytesBound(batch: RowBatch, row: number): number {
    return GROWTH * this.#encoder.rowBytesBound(batch, row);
  }

  get coerced(): ReadonlyMap<Column, number> {
    return this.#encoder.coerced ?? new Map();
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    let next = from;
    while (next < to) {
      // Near the limit it is row by row.
      const isRoomy = out.limit - out.position >= GROWTH * CHUNK_BYTES;
      const last = isRoomy ? to : next + 1;
      let made = { bytes: this.#scratch, position: 0, limit: CHUNK_BYTES };
      let end = this.#encoder.encode(batch, rows, next, last, made);
      if (end === next) {
        const limit = this.#encoder.rowBytesBound(batch, rows[next]!);
        made = { bytes: Buffer.allocUnsafe(limit), position: 0, limit };
        end = this.#encoder.encode(batch, rows, next, next + 1, made);
      }
      if (!this.#write(made, out)) break;
      next = end;
    }
    return next;
  }

  /** Whole or not at all. */
  #write({ bytes, position }: OutputBuffer, out: OutputBuffer): boolean {
    const written = this.#set.encode(bytes.toString('utf8', 0, position));
    if (written.length > out.limit - out.position) return false;
    out.position += written.copy(out.bytes, out.position);
    return true;
  }
}
