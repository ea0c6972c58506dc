import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { Baseline } from '../../src/baseline/baseline.ts';
import { DeltaLogWriter } from '../../src/baseline/delta-log.ts';
import { newRowHashing } from '../../src/baseline/row-hashing.ts';
import { Spill } from '../../src/baseline/spill.ts';
import { SluiceError } from '../../src/errors.ts';
import { Change } from '../../src/row-batch.ts';
import { HashDiff, type HashDiffOptions } from '../../src/transforms/hash-diff.ts';
import { someOf } from '../support/all-cases.ts';
import { fromBatch, inBatches, type Row } from '../support/row-batches.ts';

const HASHING = newRowHashing();
type Settings = Partial<HashDiffOptions> & { readonly batchRows?: number };
interface Outcome {
  readonly rows: Record<'added' | 'updated' | 'removed', string[]>;
  readonly diff: HashDiff;
}

/** A baseline in a folder of its own, and runs against it that are published at once. */
class Bench {
  readonly #folder: string;
  baseline: Baseline;
  #runs = 0;

  private constructor(folder: string, baseline: Baseline) {
    this.#folder = folder;
    this.baseline = baseline;
  }

  static async open(): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-diff-'));
    return new Bench(folder, await Baseline.open(join(folder, 'baseline')));
  }

  async reopen(): Promise<void> {
    await this.baseline.close();
    this.baseline = await Baseline.open(join(this.#folder, 'baseline'));
  }

  async run(rows: readonly Row[], settings: Settings = {}, { apply = true } = {}): Promise<Outcome> {
    const fieldCount = rows[0]?.length ?? 2;
    const { batchRows = 7, ...options } = settings;
    const retained = options.retained ?? 'row';
    const path = join(this.#folder, `delta-${this.#runs++}`);
    const deltaLog = await DeltaLogWriter.create(path, { keepsValues: retained !== 'nothing' });
    const spill = new Spill(join(this.#folder, `spill-${this.#runs}`));
    const diff = new HashDiff({
      baseline: this.baseline.state ? this.baseline : undefined,
      deltaLog,
      spill,
      hashing: HASHING,
      keyFields: [0],
      keyNames: ['id'],
      fieldCount,
      retained,
      keysOnly: false,
      sendsRemoved: retained !== 'nothing',
      onNullKey: 'fail',
      onDuplicateKey: 'fail',
      stateMemoryBytes: 512 * 1024 * 1024,
      ...options,
    });
    const out: Outcome = { rows: { added: [], updated: [], removed: [] }, diff };
    async function* source(): AsyncGenerator<
      ReturnType<typeof inBatches> extends Generator<infer B> ? B : never
    > {
      yield* inBatches(rows, batchRows);
    }
    try {
      for await (const batch of diff.transform(source())) {
        fromBatch(batch, fieldCount).forEach((row, index) => {
          const change = batch.changes![index];
          for (const name of ['added', 'updated', 'removed'] as const) {
            if (change === Change[name]) out.rows[name].push(JSON.stringify(row));
          }
        });
      }
      const { added, removed } = diff.counts;
      const count = (this.baseline.state?.count ?? 0) + added - removed;
      await deltaLog.seal({});
      const generation = (this.baseline.state?.generation ?? 0) + 1;
      const next = {
        generation,
        run: 'r',
        count,
        digest: diff.digest,
        hashing: HASHING,
        identity: '',
        retained,
      };
      if (apply) await this.baseline.apply(path, next, { replace: false });
    } finally {
      await deltaLog.close().catch(() => {});
      await spill.remove();
    }
    for (const list of Object.values(out.rows)) list.sort();
    return out;
  }

  async close(): Promise<void> {
    await this.baseline.close();
    await rm(this.#folder, { recursive: true });
  }
}

async function withBench(act: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = await Bench.open();
  try {
    await act(bench);
  } finally {
    await bench.close();
  }
}

/** What the diff has to say, by a Map. */
function expected(before: ReadonlyMap<string, string>, rows: readonly Row[]): Outcome['rows'] {
  const added: string[] = [];
  const updated: string[] = [];
  const now = new Set<string>();
  for (const row of rows) {
    const text = JSON.stringify(row);
    now.add(row[0]!);
    const old = before.get(row[0]!);
    if (old === undefined) added.push(text);
    else if (old !== text) updated.push(text);
  }
  const removed = [...before].filter(([key]) => !now.has(key)).map(([, text]) => text);
  return { added: added.sort(), updated: updated.sort(), removed: removed.sort() };
}

const table = fc
  .uniqueArray(
    fc.tuple(
      fc.integer({ min: 0, max: 60 }).map(String),
      fc.option(fc.constantFrom('', 'a', 'b', '1', '01')),
    ),
    {
      maxLength: 60,
      selector: row => row[0],
    },
  )
  .map(rows => rows as Row[]);
const settings = fc.record({
  batchRows: fc.integer({ min: 1, max: 30 }),
  // From "everything waits on disk" to "everything fits".
  stateMemoryBytes: fc.constantFrom(0, 60_000, 170_000, 1 << 29),
});

test('over generated sequences of tables the diff says what a Map says', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(table, settings, fc.boolean()), { minLength: 2, maxLength: 5 }),
      async runs => {
        await withBench(async bench => {
          let before = new Map<string, string>();
          for (const [rows, options, compacts] of runs) {
            const { rows: told, diff } = await bench.run(rows, options);
            assert.deepEqual(told, expected(before, rows));
            assert.equal(diff.counts.unchanged, rows.length - told.added.length - told.updated.length);
            before = new Map(rows.map(row => [row[0]!, JSON.stringify(row)]));
            assert.equal(bench.baseline.state!.count, before.size);
            if (compacts) await bench.baseline.compact({ always: true });
            if (compacts) await bench.reopen();
          }
        });
      },
    ),
    { numRuns: someOf(60) },
  );
});

test('a large table with many buckets, growth, setting aside and compaction agrees with a Map', async () => {
  await withBench(async bench => {
    const make = (from: number, to: number, salt: number): Row[] =>
      Array.from({ length: to - from }, (_, i) => [
        `k${from + i}`,
        (from + i) % 10 === salt ? `v${salt}` : 'same',
      ]);
    let before = new Map<string, string>();
    const runs: [Row[], number][] = [
      [make(0, 30_000, 1), 300_000],
      [make(500, 31_000, 2), 1 << 29],
      [make(1_000, 31_500, 3), 400_000],
      [make(0, 20_000, 4), 0],
    ];
    for (const [rows, stateMemoryBytes] of runs) {
      const { rows: told } = await bench.run(rows, { stateMemoryBytes, batchRows: 1000 });
      assert.deepEqual(told, expected(before, rows));
      before = new Map(rows.map(row => [row[0]!, JSON.stringify(row)]));
      await bench.baseline.compact({ always: true });
    }
  });
});

test('fields that join to the same text are different rows, and NULL is not the empty text', async () => {
  await withBench(async bench => {
    await bench.run([
      ['1', 'ab', 'c'],
      ['2', '', 'x'],
      ['3', null, 'x'],
    ]);
    const { rows } = await bench.run([
      ['1', 'a', 'bc'],
      ['2', null, 'x'],
      ['3', '', 'x'],
    ]);
    assert.equal(rows.updated.length, 3);
  });
});

test('a key of several columns is one key, wherever its columns stand', async () => {
  await withBench(async bench => {
    const options = { keyFields: [2, 0], keyNames: ['c', 'a'] };
    await bench.run(
      [
        ['a', '1', 'b'],
        ['b', '1', 'a'],
        ['ab', '1', ''],
        ['', '1', 'ab'],
      ],
      options,
    );
    const { diff } = await bench.run(
      [
        ['a', '2', 'b'],
        ['b', '1', 'a'],
        ['ab', '1', ''],
      ],
      options,
    );
    assert.deepEqual(
      [diff.counts.updated, diff.counts.unchanged, diff.counts.removed, diff.counts.added],
      [1, 2, 1, 0],
    );
  });
});

test('removed rows that keep only their key come with the other columns NULL', async () => {
  await withBench(async bench => {
    const options = { keyFields: [1], keyNames: ['b'], retained: 'key' as const };
    await bench.run(
      [
        ['x', '1', 'y'],
        ['x', '2', 'y'],
      ],
      options,
    );
    const { rows } = await bench.run([['x', '2', 'y']], options);
    assert.deepEqual(rows.removed, [JSON.stringify([null, '1', null])]);
  });
});

test('with keys only a known key is unchanged whatever its values, and no key is ever forgotten', async () => {
  await withBench(async bench => {
    const options = { keysOnly: true, retained: 'nothing' as const };
    await bench.run(
      [
        ['1', 'a'],
        ['2', 'a'],
      ],
      options,
    );
    const second = await bench.run(
      [
        ['1', 'changed'],
        ['3', 'a'],
      ],
      options,
    );
    assert.deepEqual(second.rows, { added: ['["3","a"]'], updated: [], removed: [] });
    const third = await bench.run([['2', 'back']], options);
    assert.deepEqual([third.diff.counts.added, third.diff.counts.removed], [0, 0]);
    assert.equal(bench.baseline.state!.count, 3);
  });
});

test('a run that was not applied leaves the baseline as it was', async () => {
  await withBench(async bench => {
    await bench.run([
      ['1', 'a'],
      ['2', 'a'],
    ]);
    await bench.run([['1', 'b']], {}, { apply: false });
    const { rows } = await bench.run([
      ['1', 'b'],
      ['2', 'a'],
    ]);
    assert.deepEqual(rows, { added: [], updated: ['["1","b"]'], removed: [] });
  });
});

for (const memory of [0, 1 << 29]) {
  test(`null and repeated keys are counted, shown and refused by default (state memory ${memory})`, async () => {
    await withBench(async bench => {
      const rows: Row[] = [
        ['1', 'a'],
        [null, 'b'],
        ['2', 'c'],
        ['1', 'd'],
        ['1', 'e'],
      ];
      const options = { stateMemoryBytes: memory, batchRows: 2 };
      await assert.rejects(bench.run(rows, options), (error: unknown) => {
        assert.ok(error instanceof SluiceError);
        assert.equal(error.code, 'KEY_NULL');
        assert.match(error.message, /1 row with a null in the primary key \(id\), such as \(NULL\)/);
        return true;
      });
      await assert.rejects(bench.run(rows, { ...options, onNullKey: 'skip' }), {
        code: 'KEY_DUPLICATE',
        message: '2 rows whose primary key came before (id), such as (1), (1)',
      });
      const { rows: told, diff } = await bench.run(rows, {
        ...options,
        onNullKey: 'skip',
        onDuplicateKey: 'first',
      });
      assert.deepEqual(told.added, ['["1","a"]', '["2","c"]']);
      assert.deepEqual([diff.counts.nullKeys, diff.counts.duplicateKeys], [1, 2]);
      assert.deepEqual(diff.samples.map(({ problem }) => problem).sort(), ['duplicate', 'duplicate', 'null']);
    });
  });
}

test('at most 100 samples are kept however many keys repeat', async () => {
  await withBench(async bench => {
    const rows: Row[] = Array.from({ length: 500 }, () => ['1', 'a']);
    const { diff } = await bench.run(rows, { onDuplicateKey: 'first' });
    assert.equal(diff.counts.duplicateKeys, 499);
    assert.equal(diff.samples.length, 100);
  });
});

test('a baseline whose records do not add up to its digest stops the run before its end', async () => {
  await withBench(async bench => {
    await bench.run([
      ['1', 'a'],
      ['2', 'a'],
    ]);
    Object.assign(bench.baseline.state!, { digest: { low: 1, high: 2 } });
    await assert.rejects(bench.run([['1', 'a']]), { code: 'STATE_DAMAGED' });
  });
});

/** Rows enough for a chunk that is sorted by bucket. */
const manyRows = (value: string): Row[] => Array.from({ length: 6000 }, (_, i) => [`k${i}`, value]);

test('a baseline of a version that did not note which chunks hold each key once is read all the same', async () => {
  await withBench(async bench => {
    await bench.run(manyRows('a'));
    await bench.run(manyRows('b'));
    const state = bench.baseline.state as unknown as { layout: { distinctChunks?: number } };
    assert.equal(state.layout.distinctChunks, 1);
    delete state.layout.distinctChunks;
    const { rows, diff } = await bench.run(manyRows('b').slice(1));
    assert.deepEqual(rows, { added: [], updated: [], removed: ['["k0","b"]'] });
    assert.equal(diff.counts.unchanged, 5999);
    await bench.baseline.compact({ always: true });
    assert.equal(state.layout.distinctChunks, undefined);
    const compacted = bench.baseline.state as unknown as typeof state;
    assert.equal(compacted.layout.distinctChunks, 1);
    assert.equal((await bench.run(manyRows('b').slice(1))).diff.counts.unchanged, 5999);
  });
});

test('chunks that hold a key twice where none should are damage', async () => {
  await withBench(async bench => {
    await bench.run(manyRows('a'));
    await bench.run(manyRows('b'));
    Object.assign((bench.baseline.state as unknown as { layout: object }).layout, { distinctChunks: 2 });
    await assert.rejects(bench.run(manyRows('b')), { code: 'STATE_DAMAGED' });
  });
});

test('a failing source ends the diff without a single removed row', async () => {
  await withBench(async bench => {
    await bench.run([
      ['1', 'a'],
      ['2', 'a'],
    ]);
    const rows: string[] = [];
    const deltaLog = await DeltaLogWriter.create(join(await mkdtemp(join(tmpdir(), 'sluice-')), 'log'), {
      keepsValues: true,
    });
    const diff = new HashDiff({
      baseline: bench.baseline,
      deltaLog,
      spill: new Spill('/nonexistent'),
      hashing: HASHING,
      keyFields: [0],
      keyNames: ['id'],
      fieldCount: 2,
      retained: 'row',
      keysOnly: false,
      sendsRemoved: true,
      onNullKey: 'fail',
      onDuplicateKey: 'fail',
      stateMemoryBytes: 1 << 29,
    });
    async function* source() {
      yield* inBatches([['1', 'b']], 1);
      throw new Error('the source broke');
    }
    await assert.rejects(async () => {
      for await (const batch of diff.transform(source())) rows.push(...fromBatch(batch, 2).map(String));
    }, /the source broke/);
    await deltaLog.close();
    assert.deepEqual(rows, ['1,b']);
    assert.equal(diff.counts.removed, 0);
  });
});
