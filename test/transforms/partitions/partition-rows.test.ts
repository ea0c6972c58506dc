import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { Change, type RowBatch } from '../../../src/row-batch.ts';
import { KnownPartitions } from '../../../src/transforms/partitions/known-partitions.ts';
import { partitionRows } from '../../../src/transforms/partitions/partition-rows.ts';
import { RowSorter } from '../../../src/transforms/partitions/row-sorter.ts';
import { fromBatch, type Row, textColumns, toBatch } from '../../support/row-batches.ts';

const FIELDS = textColumns('a', 'b', 'c');

interface Sent {
  readonly rows: readonly Row[];
  readonly changes?: readonly Change[];
  readonly isLate?: true;
}

interface Came {
  readonly values: readonly (string | null)[];
  readonly rows: (string | null)[][];
  readonly changes: readonly number[] | undefined;
  readonly isLate: boolean;
}

/** What comes out, deferred and skipped rows left out. */
async function partitioned(
  sent: readonly Sent[],
  { isGrouped = true, partitionFields = [0], memoryBytes = 32 * 1024 ** 2, maxPartitions = 1000 } = {},
): Promise<{ came: Came[]; wasOnDisk: boolean }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-partitions-'));
  const sorter = new RowSorter(join(folder, 'rows'), memoryBytes);
  try {
    const known = new KnownPartitions({ fields: FIELDS, partitionFields, maxPartitions });
    const transform = partitionRows({ known, isGrouped, sorter });
    async function* batches(): AsyncGenerator<RowBatch> {
      for (const { rows, changes, isLate } of sent) {
        yield {
          ...toBatch(rows),
          changes: changes && Uint8Array.from(changes),
          ...(isLate && { isLate }),
        };
      }
    }
    const came: Came[] = [];
    let wasOnDisk = false;
    for await (const batch of transform(batches())) {
      const all = fromBatch(batch, FIELDS.length);
      const written = all.flatMap((_, row) =>
        batch.changes === undefined || batch.changes[row]! <= Change.removed ? [row] : [],
      );
      came.push({
        values: batch.partition!.values,
        rows: written.map(row => all[row]!),
        changes: batch.changes && written.map(row => batch.changes![row]!),
        isLate: batch.isLate === true,
      });
      wasOnDisk ||= (await readdir(folder)).length > 0;
    }
    await sorter.remove();
    assert.deepEqual(await readdir(folder), []);
    return { came, wasOnDisk };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('rows that come together pass as they are, cut where the partition changes', async () => {
  const { came, wasOnDisk } = await partitioned([
    {
      rows: [
        ['x', '1', ''],
        ['x', '2', ''],
        ['y', '3', ''],
      ],
    },
    { rows: [['y', '4', '']] },
    {
      rows: [
        [null, '5', ''],
        ['', '6', ''],
      ],
    },
  ]);
  assert.deepEqual(
    came.map(({ values, rows, isLate }) => [values, rows.map(row => row[1]), isLate]),
    [
      [['x'], ['1', '2'], false],
      [['y'], ['3'], false],
      [['y'], ['4'], false],
      [[null], ['5'], false],
      [[''], ['6'], false],
    ],
  );
  assert.equal(wasOnDisk, false);
});

test('rows of a partition that was left follow at the end, and rows without a change are no reason to begin one', async () => {
  const { came } = await partitioned(
    [
      {
        rows: [
          ['x', '1', ''],
          ['z', '2', ''],
          ['y', '3', ''],
          ['x', '4', ''],
          ['y', '5', ''],
        ],
        changes: [Change.added, Change.unchanged, Change.updated, Change.updated, Change.skipped],
      },
      { rows: [['y', '6', '']], changes: [Change.added] },
      {
        rows: [
          ['y', '7', ''],
          ['x', '8', ''],
        ],
        changes: [Change.removed, Change.removed],
        isLate: true,
      },
    ],
    { maxPartitions: 2 },
  );
  assert.deepEqual(
    came.map(({ values, rows, changes, isLate }) => [values[0], rows.map(row => row[1]), changes, isLate]),
    [
      ['x', ['1'], [0], false],
      ['y', ['3'], [1], false],
      ['y', ['6'], [0], false],
      ['x', ['4', '8'], [1, 2], true],
      ['y', ['7'], [2], true],
    ],
  );
});

test('every row comes once and in its partition, in the order of the source, whatever the order and the memory', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          rows: fc.array(
            fc.tuple(
              fc.option(fc.constantFrom('', 'x', 'y', '\u0000', 'xy')),
              fc.string({ maxLength: 40 }),
              fc.constantFrom('', 'x', 'y', null),
            ),
            { maxLength: 20 },
          ),
          isLate: fc.boolean(),
        }),
        { maxLength: 30 },
      ),
      fc.boolean(),
      fc.constantFrom(1, 300, 10_000),
      fc.constantFrom<number[]>([0], [2, 0], [0, 2]),
      async (batches, isGrouped, memoryBytes, partitionFields) => {
        const sent = batches.map(
          ({ rows, isLate }, index): Sent => ({
            rows,
            // Every row is written of batches without changes.
            ...(index % 2 === 0 && { changes: rows.map((_, row) => (row % 5) as Change) }),
            ...(isLate && { isLate }),
          }),
        );
        const { came } = await partitioned(sent, { isGrouped, memoryBytes, partitionFields });
        const valuesOf = (row: Row): string => JSON.stringify(partitionFields.map(field => row[field]));
        const wanted = new Map<string, unknown[]>();
        const add = (key: string, row: unknown, into: Map<string, unknown[]>): void =>
          void into.set(key, [...(into.get(key) ?? []), row]);
        for (const { rows, changes } of sent) {
          for (const [index, row] of rows.entries()) {
            const change = changes?.[index] ?? Change.added;
            if (change <= Change.removed) add(valuesOf(row), [change, ...row], wanted);
          }
        }
        const found = new Map<string, unknown[]>();
        for (const { values, rows, changes } of came) {
          for (const [index, row] of rows.entries()) {
            assert.equal(valuesOf(row), JSON.stringify(values));
            add(valuesOf(row), [changes?.[index] ?? Change.added, ...row], found);
          }
        }
        const inOrder = (all: Map<string, unknown[]>): unknown =>
          [...all].map(([key, rows]) => [key, rows.map(row => JSON.stringify(row)).sort()]).sort();
        assert.deepEqual(inOrder(found), inOrder(wanted));
        if (!isGrouped) assert.deepEqual(new Map([...found].sort()), new Map([...wanted].sort()));
      },
    ),
    { numRuns: 60 },
  ));

test('more rows than memory are merged from files, in several passes', async () => {
  const rows = Array.from({ length: 5000 }, (_, index): Row => [`${(index * 7919) % 13}`, `${index}`, 'z']);
  const sent = Array.from(
    { length: 100 },
    (_, index): Sent => ({ rows: rows.slice(index * 50, index * 50 + 50) }),
  );
  const { came, wasOnDisk } = await partitioned(sent, { isGrouped: false, memoryBytes: 1000 });
  assert.ok(wasOnDisk);
  assert.equal(came.length, 13);
  for (const { values, rows: own } of came)
    assert.deepEqual(
      own,
      rows.filter(([value]) => value === values[0]),
    );
});

test('a row that is larger than the memory of the sorter is no obstacle', async () => {
  const large = 'x'.repeat(700_000);
  const sent: Sent[] = [
    { rows: [['b', large, '']] },
    {
      rows: [
        ['a', large, ''],
        ['b', '', ''],
      ],
    },
  ];
  const { came } = await partitioned(sent, { isGrouped: false, memoryBytes: 1000 });
  assert.deepEqual(
    came.map(({ values, rows }) => [values[0], rows.map(row => row[1]!.length)]),
    [
      ['b', [700_000]],
      ['b', [0]],
      ['a', [700_000]],
    ],
  );
});
