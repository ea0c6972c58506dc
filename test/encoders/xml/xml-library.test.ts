import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { XmlEncoder } from '../../../src/encoders/xml/xml.ts';
import { XmlLibraryEncoder } from '../../../src/encoders/xml/xml-library.ts';
import { batchOf, column, encodePart } from '../../conformance/encoding.ts';
import { DEFAULT_XML_OPTIONS, xmlTable } from '../../conformance/xml-arbitraries.ts';

test('writes what the fast engine writes, byte for byte, and counts the same, whatever the rows and the options', () => {
  const property = fc.property(
    xmlTable(),
    fc.integer({ min: 1, max: 300 }),
    ({ columns, rows, options }, roomBytes) => {
      const batch = batchOf(rows);
      const fast = new XmlEncoder(columns, options);
      const library = new XmlLibraryEncoder(columns, options);
      assert.equal(
        encodePart(library, [batch], { roomBytes }).toString('latin1'),
        encodePart(fast, [batch]).toString('latin1'),
      );
      assert.deepEqual(library.coerced, fast.coerced);
    },
  );
  fc.assert(property, { numRuns: 2000, includeErrorInReport: true });
});

test('refuses the names that the fast engine refuses', () => {
  for (const options of [{ names: 'strict' }, { root: 'a b' }, { row: '' }] as const) {
    const make = () => new XmlLibraryEncoder([column('a b')], { ...DEFAULT_XML_OPTIONS, ...options });
    assert.throws(make, { code: 'CONFIG_INVALID', message: /is no XML name/ });
  }
});

test('refuses bytes that are not UTF-8', () => {
  const encoder = new XmlLibraryEncoder([column('a'), column('b')], DEFAULT_XML_OPTIONS);
  assert.throws(
    () =>
      encodePart(encoder, [
        batchOf([
          ['\ufffd', 'é'],
          ['1', Buffer.of(0x61, 0xff)],
        ]),
      ]),
    {
      code: 'VALUE_NOT_EXPRESSIBLE',
      message: /^column "b" holds bytes that are not UTF-8 in row 2 /,
    },
  );
});
