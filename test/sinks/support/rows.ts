/**
 * Rows of text fields as batches, and a small format for them, apart from the product's.
 */
import { createHash } from 'node:crypto';
import type { Encoder, OutputBuffer } from '../../../src/encoders/encoder.ts';
import type { Change, RowBatch } from '../../../src/row-batch.ts';

/** Rows of one field each. */
export function batchOf(texts: readonly string[], changes?: readonly Change[]): RowBatch {
  return batchOfFields(
    texts.map(text => [text]),
    changes,
  );
}

export function batchOfFields(
  rows: readonly (readonly (string | null)[])[],
  changes?: readonly Change[],
): RowBatch {
  const pieces: Buffer[] = [];
  const rowBounds = new Int32Array(rows.length * 2);
  let at = 0;
  const push = (bytes: Buffer): void => {
    pieces.push(bytes);
    at += bytes.length;
  };
  rows.forEach((fields, row) => {
    push(Buffer.from('gap')); // anything may stand between rows
    rowBounds[2 * row] = at;
    for (const field of fields) {
      const bytes = Buffer.from(field ?? '');
      const length = Buffer.alloc(4);
      length.writeInt32BE(field === null ? -1 : bytes.length);
      push(length);
      push(bytes);
    }
    rowBounds[2 * row + 1] = at;
  });
  const bytes = Buffer.concat(pieces);
  return { bytes, rowCount: rows.length, rowBounds, changes: changes && Uint8Array.from(changes) };
}

/** A JSON array of the first fields: something before, between and after the rows. */
export class JsonArrayEncoder implements Encoder {
  readonly beginBytes = 1;
  readonly endBytes = 2;
  #first = true;

  begin(out: OutputBuffer): void {
    out.position += out.bytes.write('[', out.position);
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    for (let index = from; index < to; index++) {
      const text = (this.#first ? '' : ',') + JSON.stringify(textOf(batch, rows[index]!));
      if (out.position + Buffer.byteLength(text) > out.limit) return index;
      out.position += out.bytes.write(text, out.position);
      this.#first = false;
    }
    return to;
  }

  end(out: OutputBuffer): void {
    out.position += out.bytes.write(']\n', out.position);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    return (batch.rowBounds[2 * row + 1]! - batch.rowBounds[2 * row]!) * 6 + 3;
  }
}

export function textOf(batch: RowBatch, row: number): string {
  return batch.bytes.toString('utf8', batch.rowBounds[2 * row]! + 4, batch.rowBounds[2 * row + 1]);
}

/**
 * Texts that neither repeat nor compress by more than a quarter, the same ones every
 * time.
 */
export function textsOf(count: number, length: number, seed = 1): string[] {
  return Array.from({ length: count }, (_, index) => {
    let text = `${index}:`;
    for (let piece = 0; text.length < length; piece++) {
      text += createHash('sha512').update(`${seed}/${index}/${piece}`).digest('base64');
    }
    return text.slice(0, Math.max(length, `${index}:`.length));
  });
}
