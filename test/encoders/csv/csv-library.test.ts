import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CsvEncoder } from '../../../src/encoders/csv/csv.ts';
import { CsvLibraryEncoder } from '../../../src/encoders/csv/csv-library.ts';
import { csvTable, DEFAULT_CSV_OPTIONS } from '../../conformance/csv-arbitraries.ts';
import { batchOf, column, encodePart } from '../../conformance/encoding.ts';
import { someOf } from '../../support/all-cases.ts';

test('writes what the fast engine writes, byte for byte, whatever the rows and the options', () => {
  const property = fc.property(
    csvTable(),
    fc.integer({ min: 1, max: 300 }),
    ({ columns, rows, options }, roomBytes) => {
      const batch = batchOf(rows);
      const fast = encodePart(new CsvEncoder(columns, options), [batch]).toString('latin1');
      const library = encodePart(new CsvLibraryEncoder(columns, options), [batch], { roomBytes });
      assert.equal(library.toString('latin1'), fast);
    },
  );
  fc.assert(property, { numRuns: someOf(2000), includeErrorInReport: true });
});

test('refuses a value that a string cannot hold instead of altering it', () => {
  const columns = [column('a'), column('b')];
  const encoder = new CsvLibraryEncoder(columns, DEFAULT_CSV_OPTIONS);
  const bad = batchOf([['\ufffd', Buffer.of(0x61, 0xff)]]);
  const good = batchOf([['1', '2']]);
  assert.throws(() => encodePart(encoder, [good, bad]), {
    code: 'VALUE_NOT_EXPRESSIBLE',
    message: /column "b".* in row 2 of its file/,
    hint: /convert_from\(.*, or use engine: fast/,
  });
  assert.equal(encodePart(encoder, [batchOf([['\ufffd', 'é']])]).toString(), 'a,b\n\ufffd,é\n');
});
