import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { CsvEncoder } from '../../../src/encoders/csv/csv.ts';
import { JsonEncoder } from '../../../src/encoders/json/json.ts';
import { XmlEncoder } from '../../../src/encoders/xml/xml.ts';
import type { ColumnKind, RowBatch } from '../../../src/row-batch.ts';
import { DEFAULT_CSV_OPTIONS } from '../../conformance/csv-arbitraries.ts';
import {
  allRows,
  batchOf,
  column,
  encodePart,
  type FieldValue,
  outputOf,
} from '../../conformance/encoding.ts';
import { DEFAULT_JSON_OPTIONS } from '../../conformance/json-arbitraries.ts';
import { DEFAULT_XML_OPTIONS } from '../../conformance/xml-arbitraries.ts';
import { someOf } from '../../support/all-cases.ts';

const MiB = 1024 * 1024;
/**
 * The row writer looks at 16 bytes at a time: lengths around that, and around what it
 * copies by a call.
 */
const LENGTHS = [...Array.from({ length: 36 }, (_, length) => length), 64, 255, 256, 257, 300];

const json = (kind: ColumnKind = 'text') =>
  new JsonEncoder([column('a', kind)], { ...DEFAULT_JSON_OPTIONS, layout: 'lines' });
const xml = () => new XmlEncoder([column('a')], DEFAULT_XML_OPTIONS);
const csv = (quote: 'needed' | 'always' = 'needed') =>
  new CsvEncoder([column('a'), column('b')], { ...DEFAULT_CSV_OPTIONS, header: false, quote });

const jsonOf = (text: string): string => `{"a":${JSON.stringify(text)}}\n`;
const xmlOf = (text: string): string => {
  const written = text.replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!);
  return `\n<row><a>${written}</a></row>`;
};
const csvOf = (text: string, always: boolean): string => {
  const quoted = always || text === '' || /[",\r\n]/.test(text);
  return `${quoted ? `"${text.replaceAll('"', '""')}"` : text},\n`;
};

function rowsOf(part: Buffer): string {
  const text = part.toString();
  return text.slice(text.indexOf('<row>') - 1, text.lastIndexOf('</row>') + '</row>'.length);
}

test('meets what is special at every place of a text of every length, and nothing behind it', () => {
  for (const length of LENGTHS) {
    for (const special of ['', '"', ',', '&', '<', '\n', '\\', 'é', '漢', '😀']) {
      for (let place = 0; place <= Math.min(length, 36); place++) {
        const text = `${'x'.repeat(place)}${special}${'y'.repeat(length - place)}`;
        assert.equal(encodePart(json(), [batchOf([[text]])]).toString(), jsonOf(text));
        assert.equal(rowsOf(encodePart(xml(), [batchOf([[text]])])), xmlOf(text));
        for (const quote of ['needed', 'always'] as const) {
          const part = encodePart(csv(quote), [batchOf([[text, null]])]).toString();
          assert.equal(part, csvOf(text, quote === 'always'));
        }
        if (special === '') break;
      }
    }
  }
});

test('knows UTF-8 as Node does: every sequence of two bytes, and of the edges of three and four', () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  const sequences: number[][] = [];
  for (let lead = 0; lead < 256; lead++) {
    for (let second = 0; second < 256; second++) sequences.push([lead], [lead, second]);
    for (const second of edges) {
      for (const third of edges) {
        sequences.push([lead, second, third]);
        for (const fourth of edges) sequences.push([lead, second, third, fourth]);
      }
    }
  }
  for (const kind of ['text', 'json'] as const) {
    const encoder = json(kind);
    const room = outputOf(100);
    const bytes = Buffer.alloc(8);
    const batch: RowBatch = { bytes, rowCount: 1, rowBounds: new Int32Array(2), changes: undefined };
    // Documents are checked in the same way, apart from the way to it.
    const tried = kind === 'text' ? sequences : sequences.filter((_, index) => index % 13 === 0);
    for (const sequence of tried) {
      bytes.writeInt32BE(sequence.length);
      bytes.set(sequence, 4);
      batch.rowBounds[1] = 4 + sequence.length;
      const out = { bytes: room.bytes, position: room.position, limit: room.limit };
      let isAccepted = true;
      try {
        encoder.encode(batch, allRows(batch), 0, 1, out);
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'VALUE_NOT_EXPRESSIBLE');
        isAccepted = false;
      }
      assert.equal(isAccepted, isUtf8(Buffer.from(sequence)), Buffer.from(sequence).toString('hex'));
    }
  }
});

test('refuses a text that is cut or spoilt anywhere', () => {
  const property = fc.property(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
    fc.nat(),
    fc.integer({ min: 0x80, max: 0xff }),
    (text, place, byte) => {
      const whole = Buffer.from(text);
      const spoilt = Buffer.from(whole);
      spoilt[place % whole.length] = byte;
      for (const bytes of [whole.subarray(0, place % whole.length), spoilt]) {
        const write = () => encodePart(json(), [batchOf([[bytes]])]);
        if (isUtf8(bytes)) write();
        else assert.throws(write, { code: 'VALUE_NOT_EXPRESSIBLE' });
      }
    },
  );
  fc.assert(property, { numRuns: someOf(3000) });
});

test('writes timestamps as replacing characters would', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789:.-'), maxLength: 30 });
  const property = fc.property(
    fc.tuple(
      digits,
      fc.constantFrom('', ' '),
      digits,
      fc.constantFrom('', '+00'),
      fc.constantFrom('', ' BC'),
    ),
    parts => {
      const text = parts.join('');
      const expected = text.replace(' ', 'T').replace(/^([^T]*T.*)\+00/, '$1Z');
      const part = encodePart(json('timestamptz'), [batchOf([[text]])]).toString();
      assert.equal(part, `{"a":"${expected}"}\n`);
    },
  );
  const usual: [string, string, string, string, string][] = ['', '.5', '.123456', '.1234567890123'].flatMap(
    (fraction): [string, string, string, string, string][] =>
      ['', '+00'].flatMap((offset): [string, string, string, string, string][] =>
        ['', ' BC'].map(era => ['2020-01-01', ' ', `00:00:00${fraction}`, offset, era]),
      ),
  );
  fc.assert(property, { numRuns: someOf(3000), examples: usual.map(parts => [parts]) });
});

/** As many rows as take several calls of the row writer, of sizes that differ. */
function manyRows(): FieldValue[][] {
  return Array.from({ length: 5000 }, (_, i) => {
    if (i % 997 === 0) return ['"'.repeat(60_000), `${i}`];
    return ['é"x'.repeat(i % 40), i % 7 === 0 ? null : `${i}`];
  });
}

test('writes the same whatever the rows are cut into', () => {
  const rows = manyRows();
  const columns = [column('a'), column('b')];
  for (const create of [
    () => new JsonEncoder(columns, DEFAULT_JSON_OPTIONS),
    () => new XmlEncoder(columns, DEFAULT_XML_OPTIONS),
    () => new CsvEncoder(columns, DEFAULT_CSV_OPTIONS),
  ]) {
    const whole = encodePart(create(), [batchOf(rows)], { roomBytes: 16 * MiB });
    const single = encodePart(
      create(),
      rows.map(row => batchOf([row])),
    );
    assert.ok(whole.equals(single));
    assert.ok(whole.equals(encodePart(create(), [batchOf(rows)], { roomBytes: 10_000 })));
    const every = Int32Array.from({ length: 500 }, (_, index) => index * 10);
    const some = encodePart(create(), [batchOf(rows)], { rows: every });
    assert.ok(some.equals(encodePart(create(), [batchOf(rows.filter((_, index) => index % 10 === 0))])));
  }
});

test('keeps the rows and counts of encoders that take turns apart', () => {
  const columns = [column('a', 'float64'), column('b')];
  const encoders = [0, 1, 2].map(() => new JsonEncoder(columns, DEFAULT_JSON_OPTIONS));
  const outs = encoders.map(() => outputOf(1000));
  for (let turn = 0; turn < 4; turn++) {
    encoders.forEach((encoder, index) => {
      const batch = batchOf([[turn < index ? 'NaN' : '1', `${index}`]]);
      assert.equal(encoder.encode(batch, allRows(batch), 0, 1, outs[index]!), 1);
    });
  }
  encoders.forEach((encoder, index) => {
    assert.deepEqual([...encoder.coerced.values()], index === 0 ? [] : [index]);
    const rows = [0, 1, 2, 3].map(turn => `\n{"a":${turn < index ? '"NaN"' : '1'},"b":"${index}"}`);
    assert.equal(outs[index]!.written().toString(), rows.join(','));
  });
});

test('writes rows that are larger than all that the row writer keeps, and counts what it coerces in them', () => {
  const text = `${'x'.repeat(9 * MiB)}\u0001"`;
  const columns = [column('a'), column('b', 'float64')];
  const batch = batchOf([
    ['1', 'NaN'],
    [text, 'NaN'],
    ['2', '2'],
  ]);
  const encoder = new JsonEncoder(columns, DEFAULT_JSON_OPTIONS);
  const part = encodePart(encoder, [batch], { roomBytes: 1 * MiB });
  const expected = [
    { a: '1', b: 'NaN' },
    { a: text, b: 'NaN' },
    { a: '2', b: 2 },
  ];
  assert.deepEqual(JSON.parse(part.toString()), expected);
  assert.deepEqual([...encoder.coerced.values()], [2]);
  const spoilt = batchOf([
    ['1', '1'],
    [Buffer.concat([Buffer.from(text), Buffer.of(0xff)]), '1'],
  ]);
  assert.throws(() => encodePart(new JsonEncoder(columns, DEFAULT_JSON_OPTIONS), [spoilt]), {
    message: /^column "a" holds bytes that are not UTF-8 in row 2 of its file/,
  });
});
