import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonEncoder } from '../../../src/encoders/json/json.ts';
import { JsonLibraryEncoder } from '../../../src/encoders/json/json-library.ts';
import { batchOf, column, encodePart } from '../../conformance/encoding.ts';
import { DEFAULT_JSON_OPTIONS, jsonTable } from '../../conformance/json-arbitraries.ts';
import { someOf } from '../../support/all-cases.ts';

test('writes what the fast engine writes, byte for byte, and counts the same, whatever the rows and the options', () => {
  const property = fc.property(
    jsonTable(),
    fc.integer({ min: 1, max: 300 }),
    ({ columns, rows, options }, roomBytes) => {
      const batch = batchOf(rows);
      const fast = new JsonEncoder(columns, options);
      const library = new JsonLibraryEncoder(columns, options);
      assert.equal(
        encodePart(library, [batch], { roomBytes }).toString('latin1'),
        encodePart(fast, [batch]).toString('latin1'),
      );
      assert.deepEqual(library.coerced, fast.coerced);
    },
  );
  fc.assert(property, { numRuns: someOf(2000), includeErrorInReport: true });
});

test('refuses bytes that are not UTF-8 as the fast engine does', () => {
  const columns = [column('a'), column('b')];
  const batch = batchOf([
    ['\ufffd', 'é'],
    ['1', Buffer.of(0x61, 0xff)],
  ]);
  const messages = [JsonEncoder, JsonLibraryEncoder].map(Engine => {
    let message = '';
    assert.throws(
      () => encodePart(new Engine(columns, DEFAULT_JSON_OPTIONS), [batch]),
      (error: Error) => {
        message = error.message;
        return 'code' in error && error.code === 'VALUE_NOT_EXPRESSIBLE';
      },
    );
    return message;
  });
  assert.match(messages[0]!, /column "b".* row 2 /);
  assert.equal(messages[1], messages[0]);
});
