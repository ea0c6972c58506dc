import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ColumnKind } from '../../../src/row-batch.ts';
import { numericText, valueText } from '../../../src/sources/json/value-text.ts';

const declared = (kind: ColumnKind, json: string): string | undefined =>
  json.startsWith('"')
    ? valueText(kind, 'string', JSON.parse(json), { fromText: true })
    : valueText(kind, json === 'true' || json === 'false' ? 'boolean' : 'number', json, { fromText: true });

const FITTING: readonly [ColumnKind, string, string][] = [
  ['int16', '-32768', '-32768'],
  ['int64', '9223372036854775807', '9223372036854775807'],
  ['int64', '"-9223372036854775808"', '-9223372036854775808'],
  ['int64', '-0', '0'],
  ['numeric', '12345678901234567890.000100', '12345678901234567890.000100'],
  ['numeric', '-0.00', '0.00'],
  ['numeric', '1.50e1', '15.0'],
  ['numeric', '15E-4', '0.0015'],
  ['numeric', '-1e+3', '-1000'],
  ['numeric', '0e5', '0'],
  ['numeric', '"NaN"', 'NaN'],
  ['float64', '0.1234567890123456789', '0.1234567890123456789'],
  ['float64', '"-Infinity"', '-Infinity'],
  ['float32', '3.4028234e38', '3.4028234e38'],
  ['boolean', 'true', 't'],
  ['boolean', '"false"', 'f'],
  ['text', '1.0', '1.0'],
  ['text', 'true', 'true'],
  ['json', '"a\\"\\ud800"', '"a\\"\\ud800"'],
  ['date', '"2024-02-29"', '2024-02-29'],
  ['date', '"0001-01-01"', '0001-01-01'],
  ['time', '"23:59:59.120000"', '23:59:59.12'],
  ['timestamp', '"2024-01-02T03:04:05.000"', '2024-01-02 03:04:05'],
  ['timestamptz', '"2024-01-01T01:30:00.123456+02:00"', '2023-12-31 23:30:00.123456+00'],
  ['timestamptz', '"2024-01-01 00:00:00-0530"', '2024-01-01 05:30:00+00'],
  ['timestamptz', '"1600-03-01T00:00:00.5Z"', '1600-03-01 00:00:00.5+00'],
  ['uuid', '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['bytes', '"\\\\xDEAD"', '\\xdead'],
  ['bytes', '"3q0="', '\\xdead'],
];

const REFUSED: readonly [ColumnKind, string][] = [
  ['int16', '32768'],
  ['int32', '1.0'],
  ['int64', '9223372036854775808'],
  ['int64', '1e2'],
  ['int64', '"01"'],
  ['numeric', '1e1000000000'],
  ['numeric', '"1,5"'],
  ['float64', '1e999'],
  ['float32', '3.5e38'],
  ['boolean', '1'],
  ['date', '"2023-02-29"'],
  ['date', '"2024-1-1"'],
  ['date', '20240101'],
  ['time', '"24:00:00"'],
  ['timestamp', '"2024-01-01T00:00:00Z"'],
  ['timestamp', '"2024-01-01T00:00:00.1234567"'],
  ['timestamptz', '"2024-01-01T00:00:00"'],
  ['timestamptz', '"9999-12-31T23:00:00-02:00"'],
  ['uuid', '"a0eebc99"'],
  ['bytes', '"3q0"'],
];

test('values of declared columns become the texts of PostgreSQL', () => {
  for (const [kind, json, text] of FITTING) assert.equal(declared(kind, json), text, `${kind} ${json}`);
});

test('values that do not fit their column are refused', () => {
  for (const [kind, json] of REFUSED) assert.equal(declared(kind, json), undefined, `${kind} ${json}`);
});

test('exponents are written out without a change of value', () => {
  const digits = fc.stringMatching(/^[0-9]{1,12}$/);
  fc.assert(
    fc.property(fc.bigInt(), digits, fc.integer({ min: -40, max: 40 }), (whole, fraction, exponent) => {
      const text = numericText(`${whole}.${fraction}e${exponent}`)!;
      assert.match(text, /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/);
      // Both as integers of 10^-60.
      const scaled = (value: string): bigint => {
        const [integer = '', decimals = ''] = value.replace('-', '').split('.');
        return BigInt(integer + decimals.padEnd(60, '0')) * (value.startsWith('-') ? -1n : 1n);
      };
      const shifted = scaled(`${whole}.${fraction}`);
      const factor = 10n ** BigInt(Math.abs(exponent));
      assert.equal(scaled(text), exponent < 0 ? shifted / factor : shifted * factor);
    }),
  );
});
