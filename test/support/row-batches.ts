import type { Column, RowBatch } from '../../src/row-batch.ts';

export type Row = readonly (string | null)[];

/** A batch as a source would send it. */
export function toBatch(rows: readonly Row[]): RowBatch {
  const parts: Buffer[] = [];
  const rowBounds = new Int32Array(rows.length * 2);
  let at = 0;
  rows.forEach((row, index) => {
    rowBounds[2 * index] = at;
    for (const value of row) {
      const bytes = Buffer.from(value ?? '');
      const length = Buffer.alloc(4);
      length.writeInt32BE(value === null ? -1 : bytes.length);
      parts.push(length, bytes);
      at += 4 + bytes.length;
    }
    rowBounds[2 * index + 1] = at;
  });
  return { bytes: Buffer.concat(parts), rowCount: rows.length, rowBounds, changes: undefined };
}

/** The rows of a batch again, `fieldCount` fields each. */
export function fromBatch(batch: RowBatch, fieldCount: number): (string | null)[][] {
  return Array.from({ length: batch.rowCount }, (_, index) => {
    let at = batch.rowBounds[2 * index]!;
    return Array.from({ length: fieldCount }, () => {
      const length = batch.bytes.readInt32BE(at);
      at += 4;
      if (length < 0) return null;
      at += length;
      return batch.bytes.toString('utf8', at - length, at);
    });
  });
}

export function textColumns(...names: string[]): Column[] {
  return names.map(name => ({ name, source: name, kind: 'text', sourceType: 'text' }));
}

/** Deals rows into batches of the sizes given, over and over. */
export function* inBatches(rows: readonly Row[], size: number): Generator<RowBatch> {
  for (let from = 0; from < rows.length; from += size) yield toBatch(rows.slice(from, from + size));
}
