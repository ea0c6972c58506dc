import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TypedValue, typedRow } from '../../../src/encoders/text/typed-row.ts';
import type { ColumnKind } from '../../../src/row-batch.ts';
import { batchOf, column, type FieldValue } from '../../conformance/encoding.ts';

function typed(kind: ColumnKind, value: FieldValue): TypedValue | undefined {
  return typedRow(batchOf([[null], [value, 'key']]), 1, [column('a', kind)])[0];
}

test('makes a number of a field only where nothing is lost', () => {
  const numbers = { int16: '-32768', int64: '9007199254740991', numeric: '0.5', float64: '1e+300' } as const;
  for (const [kind, text] of Object.entries(numbers))
    assert.equal(typed(kind as ColumnKind, text), Number(text));
  const texts = [
    ['int64', '9223372036854775807'],
    ['int64', '9007199254740993'],
    ['numeric', '1.50'],
    ['numeric', '-0.00'],
    ['numeric', '123456789012345678901234567890'],
    ['float64', '-0'],
    ['float64', '1e+20'],
    ['float64', 'NaN'],
    ['float64', '-Infinity'],
    ['text', '1'],
    ['json', '1'],
    ['date', '2020-01-01'],
  ] as const;
  for (const [kind, text] of texts) assert.equal(typed(kind, text), text);
});

test('keeps NULL, booleans and the empty text apart', () => {
  assert.equal(typed('boolean', 't'), true);
  assert.equal(typed('boolean', 'f'), false);
  assert.equal(typed('boolean', null), null);
  assert.equal(typed('text', null), null);
  assert.equal(typed('text', ''), '');
});

test('a replacement character and a byte order mark are text as any other', () => {
  assert.equal(typed('text', '\ufffd'), '\ufffd');
  assert.equal(typed('text', '\ufeffa'), '\ufeffa');
});
