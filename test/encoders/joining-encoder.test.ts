import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CsvEncoder } from '../../src/encoders/csv/csv.ts';
import type { Encoder, OutputBuffer, RowPlaces } from '../../src/encoders/encoder.ts';
import { JoiningEncoder } from '../../src/encoders/joining-encoder.ts';
import { JsonEncoder } from '../../src/encoders/json/json.ts';
import { XmlEncoder } from '../../src/encoders/xml/xml.ts';
import type { Column, RowBatch } from '../../src/row-batch.ts';
import { someOf } from '../support/all-cases.ts';
import { type Row, textColumns, toBatch } from '../support/row-batches.ts';

const CSV = {
  delimiter: ',',
  header: true,
  bom: false,
  quote: 'needed',
  quoteChar: '"',
  escapeChar: '"',
  nullText: '',
  lineEnding: 'lf',
  booleans: ['true', 'false'],
  timestampFormat: 'postgres',
  escapeFormulas: false,
} as unknown as ConstructorParameters<typeof CsvEncoder>[1];
const FORMATS: Readonly<Record<string, (columns: readonly Column[]) => Encoder>> = {
  csv: columns => new CsvEncoder(columns, CSV),
  json: columns => new JsonEncoder(columns, { layout: 'array', numbers: 'number', nulls: 'omit' }),
  ndjson: columns => new JsonEncoder(columns, { layout: 'lines', numbers: 'number', nulls: 'include' }),
  xml: columns =>
    new XmlEncoder(columns, {
      root: 'rows',
      row: 'row',
      nulls: 'omit',
      indent: true,
      declaration: true,
    } as unknown as ConstructorParameters<typeof XmlEncoder>[1]),
};

/** Each row as one of a file that has others before it. */
function encodedOf(encoder: Encoder, batch: RowBatch): RowBatch {
  const places: RowPlaces = { rowCount: 0, rowBounds: new Int32Array(0) };
  const bytes = Buffer.alloc(64 * 1024);
  const out: OutputBuffer = { bytes, position: 0, limit: bytes.length, places };
  assert.equal(encoder.encode(batch, indexes(batch), 0, batch.rowCount, out), batch.rowCount);
  assert.equal(places.rowCount, batch.rowCount);
  return {
    bytes,
    rowCount: batch.rowCount,
    rowBounds: places.rowBounds,
    changes: undefined,
    isEncoded: true,
  };
}

function indexes({ rowCount }: RowBatch): Int32Array {
  return Int32Array.from({ length: rowCount }, (_, index) => index);
}

/**
 * Files with so much room each, as a sink writes them, and what a row takes that does not
 * fit.
 */
function filesOf(create: () => Encoder, batches: readonly RowBatch[], room: number): string[] {
  const files: string[] = [];
  let encoder = create();
  let out: OutputBuffer = begun(encoder, room);
  let isEmpty = true;
  const close = (): void => {
    out.limit = out.bytes.length;
    encoder.end(out);
    files.push(out.bytes.toString('utf8', 0, out.position));
  };
  for (const batch of batches) {
    for (let from = 0; from < batch.rowCount; ) {
      const next = encoder.encode(batch, indexes(batch), from, batch.rowCount, out);
      if (next > from) isEmpty = false;
      from = next;
      if (from === batch.rowCount) break;
      const needed = encoder.rowBytesBound(batch, from);
      files.push(`${needed}`);
      if (isEmpty) {
        out.limit = out.position + needed;
        continue;
      }
      close();
      encoder = create();
      out = begun(encoder, room);
      isEmpty = true;
    }
  }
  close();
  return files;
}

function begun(encoder: Encoder, room: number): OutputBuffer {
  const out = { bytes: Buffer.from(new SharedArrayBuffer(128 * 1024)), position: 0, limit: 64 * 1024 };
  encoder.begin(out);
  out.limit = Math.min(out.bytes.length, out.position + room);
  return out;
}

const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.constantFrom('"', ',', '\n', 'ab'));
const rowsOf = fc.array(fc.array(fc.option(text), { minLength: 2, maxLength: 2 }), { maxLength: 60 });

for (const [name, create] of Object.entries(FORMATS)) {
  test(`joined rows of ${name} give the files that one encoder writes, wherever one is full`, () => {
    const columns = textColumns('a', 'b');
    const pieces = fc.array(fc.tuple(rowsOf, fc.boolean()), { maxLength: 4 });
    fc.assert(
      fc.property(pieces, fc.integer({ min: 0, max: 3000 }), (given, room) => {
        const batches = given.map(([rows]) => toBatch(rows as Row[]));
        const apart = create(columns);
        apart.resume!(1);
        const mixed = batches.map((batch, index) => (given[index]![1] ? encodedOf(apart, batch) : batch));
        const joined = filesOf(() => new JoiningEncoder(create(columns)), mixed, room);
        assert.deepEqual(
          joined,
          filesOf(() => create(columns), batches, room),
        );
      }),
      { numRuns: someOf(500) },
    );
  });
}
