import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Column, RowBatch } from '../../src/row-batch.ts';
import { type MappingPlan, mapColumns, planMapping } from '../../src/transforms/map-columns.ts';
import { fromBatch, inBatches, type Row, textColumns, toBatch } from '../support/row-batches.ts';

const COLUMNS = textColumns('id', 'first', 'last', 'age');

function plan(
  mapping: readonly (readonly [string, string])[] | undefined,
  primaryKey: string[] = [],
): MappingPlan {
  return planMapping({
    modelName: 'people',
    columns: COLUMNS,
    mapping: mapping?.map(([from, to]) => ({ from, to })),
    primaryKey,
  });
}

const names = (columns: readonly Column[]): string[] =>
  columns.map(({ name, source }) => `${source}>${name}`);

async function map(
  sent: readonly Column[],
  planned: MappingPlan,
  batches: Iterable<RowBatch>,
): Promise<RowBatch[]> {
  const mapped: RowBatch[] = [];
  async function* source(): AsyncGenerator<RowBatch> {
    yield* batches;
  }
  for await (const batch of mapColumns(sent, planned)(source())) mapped.push(batch);
  return mapped;
}

describe('the plan', () => {
  test('without a mapping: every column under its own name', () => {
    const { fields, written, keyFields } = plan(undefined, ['last', 'id']);
    assert.deepEqual(fields, COLUMNS);
    assert.deepEqual(written, COLUMNS);
    assert.deepEqual(keyFields, [2, 0]);
  });

  test('selects, renames and reorders, with the types of the model', () => {
    const columns: Column[] = [
      { name: 'a', source: 'a', kind: 'numeric', sourceType: 'numeric(5,2)', precision: 5, scale: 2 },
      { name: 'b', source: 'b', kind: 'text', sourceType: 'text' },
    ];
    const mapping = [
      { from: 'b', to: 'B b' },
      { from: 'a', to: 'amount' },
    ];
    const { written } = planMapping({ modelName: 'm', columns, mapping, primaryKey: [] });
    assert.deepEqual(written, [
      { name: 'B b', source: 'b', kind: 'text', sourceType: 'text' },
      { name: 'amount', source: 'a', kind: 'numeric', sourceType: 'numeric(5,2)', precision: 5, scale: 2 },
    ]);
  });

  test('appends key columns that are not mapped, and writes them not', () => {
    const { fields, written, keyFields } = plan(
      [
        ['age', 'years'],
        ['last', 'id'],
      ],
      ['id', 'last', 'first'],
    );
    assert.deepEqual(names(written), ['age>years', 'last>id']);
    assert.deepEqual(names(fields), ['age>years', 'last>id', 'id>id', 'first>first']);
    assert.deepEqual(keyFields, [2, 1, 3]);
  });

  test('takes one column twice under two names', () => {
    const { fields, keyFields } = plan(
      [
        ['age', 'age'],
        ['id', 'id'],
        ['id', 'again'],
      ],
      ['id'],
    );
    assert.deepEqual(names(fields), ['age>age', 'id>id', 'id>again']);
    assert.deepEqual(keyFields, [1]);
  });

  test('refuses unknown columns, all of them, and lists the known', () => {
    assert.throws(
      () =>
        plan(
          [
            ['ID', 'x'],
            ['nope', 'y'],
            ['nope', 'z'],
          ],
          ['key', 'id'],
        ),
      {
        code: 'COLUMN_UNKNOWN',
        stage: 'mapping',
        message: 'model people has no column "ID", "nope", "key"; it has id, first, last, age',
      },
    );
  });

  test('refuses two columns of one name in the file', () => {
    const mapping = [
      ['id', 'x'],
      ['age', 'y'],
      ['last', 'x'],
    ] as const;
    assert.throws(() => plan(mapping), {
      code: 'COLUMN_DUPLICATE',
      stage: 'mapping',
      message: 'two columns would be written as "x"',
      hint: 'give each column of the mapping a name of its own',
    });
  });
});

describe('the stage', () => {
  test('passes batches on as they are when the source has projected', async () => {
    const planned = plan([
      ['last', 'l'],
      ['id', 'i'],
      ['last', 'again'],
    ]);
    const batch = toBatch([['Doe', '1', 'Doe']]);
    const mapped = await map(planned.fields, planned, [batch]);
    assert.equal(mapped.length, 1);
    assert.equal(mapped[0], batch);
  });

  test('tells the rows of each batch, before it goes on', async () => {
    const planned = plan(undefined);
    const counts: number[] = [];
    const rows: Row[] = Array(5).fill(['1', null, '', 'x']);
    async function* source(): AsyncGenerator<RowBatch> {
      yield* inBatches(rows, 2);
    }
    for await (const _ of mapColumns(COLUMNS, planned, count => counts.push(count))(source()));
    assert.deepEqual(counts, [2, 2, 1]);
  });

  test('keeps the changes of the rows', async () => {
    const batch = toBatch([
      ['1', 'a', 'b', 'c'],
      ['2', 'a', 'b', 'c'],
    ]);
    batch.changes = Uint8Array.of(1, 2);
    const [mapped] = await map(COLUMNS, plan([['age', 'age']]), [batch]);
    assert.deepEqual(mapped!.changes, Uint8Array.of(1, 2));
  });

  test('copies what any source sends into the order of any plan', async () => {
    const value = fc.option(fc.string({ unit: 'binary', maxLength: 6 }), { nil: null });
    const model = fc.integer({ min: 1, max: 6 }).chain(width =>
      fc.record({
        width: fc.constant(width),
        rows: fc.array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 20 }),
        picked: fc.array(fc.nat({ max: width - 1 }), { maxLength: 8 }),
        key: fc.uniqueArray(fc.nat({ max: width - 1 }), { maxLength: width }),
        size: fc.integer({ min: 1, max: 7 }),
        gap: fc.nat({ max: 9 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(model, async ({ width, rows, picked, key, size, gap }) => {
        const columns = textColumns(...Array.from({ length: width }, (_, index) => `c${index}`));
        const planned = planMapping({
          modelName: 'm',
          columns,
          mapping: picked.map((place, index) => ({ from: `c${place}`, to: `t${index}` })),
          primaryKey: key.map(place => `c${place}`),
        });
        const batches = Array.from(inBatches(rows, size), batch => withGaps(batch, gap));
        const mapped = await map(columns, planned, batches);
        const unwritten = key.filter(place => !picked.includes(place));
        const expected = rows.map(row => [...picked, ...unwritten].map(place => row[place]!));
        const seen = mapped.flatMap(batch => fromBatch(batch, planned.fields.length));
        assert.deepEqual(seen, expected);
        assert.deepEqual(
          mapped.map(({ rowCount }) => rowCount),
          batches.map(({ rowCount }) => rowCount),
        );
        for (const { bytes, rowBounds, rowCount } of mapped) {
          // Rows end where the fields do.
          for (let row = 0; row < rowCount; row++) {
            let at = rowBounds[2 * row]!;
            for (let field = 0; field < planned.fields.length; field++)
              at += 4 + Math.max(0, bytes.readInt32BE(at));
            assert.equal(at, rowBounds[2 * row + 1]);
          }
        }
        const keys = planned.keyFields.map(place => expected.map(row => row[place]));
        assert.deepEqual(
          keys,
          key.map(place => rows.map(row => row[place])),
        );
      }),
    );
  });
});

/** The same rows with other bytes between them, as the wire has them. */
function withGaps(batch: RowBatch, gap: number): RowBatch {
  const rowBounds = new Int32Array(batch.rowBounds.length);
  const parts: Buffer[] = [];
  let at = 0;
  for (let row = 0; row < batch.rowCount; row++) {
    const [start, end] = [batch.rowBounds[2 * row]!, batch.rowBounds[2 * row + 1]!];
    parts.push(Buffer.alloc(gap, 0xff), batch.bytes.subarray(start, end));
    rowBounds[2 * row] = at + gap;
    at += gap + end - start;
    rowBounds[2 * row + 1] = at;
  }
  return { ...batch, bytes: Buffer.concat(parts), rowBounds };
}
