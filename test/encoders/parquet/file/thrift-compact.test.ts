import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bool,
  i32,
  i64,
  list,
  readStruct,
  struct,
  Thrift,
  type ThriftValue,
  text,
  writeStruct,
} from '../../../../src/encoders/parquet/file/thrift-compact.ts';

const { value } = fc.letrec<{ value: ThriftValue; struct: ThriftValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.boolean().map(bool),
    fc.integer().map(i32),
    fc
      .maxSafeInteger()
      .filter(number => Math.abs(number) < 2 ** 51)
      .map(i64),
    fc.string().map(text),
    fc.array(fc.integer().map(i32), { maxLength: 40 }).map(items => list(Thrift.i32, items)),
    fc.array(fc.boolean().map(bool), { maxLength: 20 }).map(items => list(Thrift.true, items)),
    fc.array(tie('struct'), { maxLength: 20 }).map(items => list(Thrift.struct, items)),
    tie('struct'),
  ),
  struct: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 300 }), tie('value')), {
      selector: ([id]) => id,
      maxLength: 6,
    })
    .map(entries => struct([...entries].sort(([a], [b]) => a - b))),
}));

test('reads what it writes', () => {
  fc.assert(
    fc.property(value, written => {
      const fields = new Map([[1, written]]);
      assert.deepEqual(readStruct(writeStruct(fields)), fields);
    }),
  );
});

test('refuses what is cut short', () => {
  const whole = writeStruct(
    new Map([
      [1, text('some text')],
      [20, list(Thrift.i32, [i32(1), i32(-70_000)])],
    ]),
  );
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => readStruct(whole.subarray(0, length)), RangeError);
  }
});
