import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Baseline, type BaselineState, type Retained } from '../../src/baseline/baseline.ts';
import { DeltaLogWriter } from '../../src/baseline/delta-log.ts';
import { newRowHashing } from '../../src/baseline/row-hashing.ts';
import { Spill } from '../../src/baseline/spill.ts';
import { Change, type RowBatch } from '../../src/row-batch.ts';
import { HashDiff } from '../../src/transforms/hash-diff.ts';
import { applyOlder, BLOCK, COLLIDING } from '../support/older-baseline.ts';
import { fromBatch, inBatches, type Row } from '../support/row-batches.ts';

/**
 * Baselines that the version before the change of the hash function wrote: keys k0 to k39
 * with the values v0 to v39, a key of which another one has the same hash, and a key with
 * the value NULL. `delta-log` and `next.json` are what its next run had decided: k1 has
 * the value `changed`, k2 is gone, k40 has come.
 */
const OLDER = fileURLToPath(new URL('../baseline/murmur-baselines', import.meta.url));
const [A, B] = COLLIDING.map(text => BLOCK + text) as [string, string];
const OLDER_ROWS: Row[] = [
  ...Array.from({ length: 40 }, (_, index): Row => [`k${index}`, `v${index}`]),
  [A, 'v'],
  ['empty', null],
];

interface Outcome {
  readonly added: string[];
  readonly updated: string[];
  readonly removed: string[];
  readonly unchanged: number;
}
type Settings = { retained: Retained; keysOnly?: boolean; stateMemoryBytes?: number };

/** A folder with a baseline, and runs against it that are published at once. */
class Bench {
  readonly folder: string;
  baseline!: Baseline;
  #runs = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  async open(): Promise<void> {
    this.baseline = await Baseline.open(join(this.folder, 'baseline'));
  }

  async run(rows: readonly Row[], settings: Settings): Promise<Outcome> {
    const { retained, keysOnly = false, stateMemoryBytes = 1 << 29 } = settings;
    const { baseline } = this;
    const path = join(this.folder, `delta-${this.#runs}`);
    const spill = new Spill(join(this.folder, `spill-${this.#runs++}`));
    const deltaLog = await DeltaLogWriter.create(path, { keepsValues: retained !== 'nothing' });
    const known = baseline.state;
    const diff = new HashDiff({
      baseline: known && baseline,
      deltaLog,
      spill,
      hashing: known?.hashing ?? newRowHashing(),
      keyFields: [0],
      keyNames: ['id'],
      fieldCount: 2,
      retained,
      keysOnly,
      sendsRemoved: retained !== 'nothing',
      onNullKey: 'fail',
      onDuplicateKey: 'fail',
      stateMemoryBytes,
    });
    const told = { added: [] as string[], updated: [] as string[], removed: [] as string[] };
    const batches = inBatches(rows, 7) as unknown as AsyncIterable<RowBatch>;
    for await (const batch of diff.transform(batches))
      fromBatch(batch, 2).forEach(([key, value], row) => {
        for (const name of ['added', 'updated', 'removed'] as const)
          if (batch.changes![row] === Change[name]) told[name].push(`${key}=${value}`);
      });
    await deltaLog.seal({});
    await spill.remove();
    const { counts, digest, hashing } = diff;
    if (retained === 'nothing') assert.equal(told.removed.length, 0);
    const next: BaselineState = {
      generation: (known?.generation ?? 0) + 1,
      run: `run-${this.#runs}`,
      count: (known?.count ?? 0) + counts.added - counts.removed,
      digest,
      hashing,
      identity: 'id and value',
      retained,
    };
    await baseline.apply(path, next, { replace: known?.hashing === undefined });
    assert.deepEqual(await baseline.measure(), { count: next.count, digest });
    for (const list of Object.values(told)) list.sort();
    return { ...told, unchanged: counts.unchanged };
  }
}

async function withOlder(retained: Retained, act: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-older-'));
  const bench = new Bench(folder);
  try {
    await cp(join(OLDER, retained, 'baseline'), join(folder, 'baseline'), { recursive: true });
    await bench.open();
    await act(bench);
  } finally {
    await bench.baseline?.close();
    await rm(folder, { recursive: true });
  }
}

const changed: Row[] = [
  ...OLDER_ROWS.slice(3).map(([key, value]): Row => [key!, key === 'k5' ? 'V5' : value!]),
  ['k0', 'v0'],
  ['new', 'n'],
];
const MEMORIES = [1 << 29, 0, 2000];

for (const retained of ['nothing', 'key', 'row'] as const) {
  for (const stateMemoryBytes of MEMORIES) {
    test(`the first delta against an older baseline finds what changed, and the next goes by the new hashes (${retained}, state memory ${stateMemoryBytes})`, () =>
      withOlder(retained, async bench => {
        const settings = { retained, stateMemoryBytes };
        assert.deepEqual(bench.baseline.state!.hashing, undefined);
        const removed = { nothing: [], key: ['k1=null', 'k2=null'], row: ['k1=v1', 'k2=v2'] }[retained];
        assert.deepEqual(await bench.run(changed, settings), {
          added: ['new=n'],
          updated: ['k5=V5'],
          removed,
          unchanged: 39,
        });
        const { hashing, seed } = bench.baseline.state!;
        assert.deepEqual([hashing?.former, seed], [undefined, undefined]);
        const again = await bench.run([...changed].reverse().slice(1), settings);
        assert.deepEqual(again, {
          added: [],
          updated: [],
          removed: { nothing: [], key: ['new=null'], row: ['new=n'] }[retained],
          unchanged: changed.length - 1,
        });
      }));
  }
  test(`a delta log of an older version is applied, and its baseline carried over then (${retained})`, () =>
    withOlder(retained, async bench => {
      const next = JSON.parse(await readFile(join(OLDER, retained, 'next.json'), 'utf8')) as BaselineState;
      await bench.baseline.apply(join(OLDER, retained, 'delta-log'), next, { replace: false });
      assert.deepEqual(await bench.baseline.measure(), { count: next.count, digest: next.digest });
      const rows = OLDER_ROWS.filter(([key]) => key !== 'k2').map(
        ([key, value]): Row => [key!, key === 'k1' ? 'changed' : value!],
      );
      const { added, updated, unchanged } = await bench.run([...rows, ['k40', 'v40']], { retained });
      assert.deepEqual({ added, updated, unchanged }, { added: [], updated: [], unchanged: 42 });
    }));
}

for (const stateMemoryBytes of MEMORIES) {
  test(`with keys only, keys that had left the source are known when they come back (state memory ${stateMemoryBytes})`, () =>
    withOlder('nothing', async bench => {
      const settings = { retained: 'nothing', keysOnly: true, stateMemoryBytes } as const;
      const first = await bench.run(
        [
          ['k0', 'other'],
          ['new', 'n'],
        ],
        settings,
      );
      assert.deepEqual([first.added, first.unchanged], [['new=n'], 1]);
      const { hashing } = bench.baseline.state!;
      assert.equal(hashing?.former?.count, OLDER_ROWS.length - 1);

      const second = await bench.run(
        [
          ['k7', 'back'],
          ['new', 'n'],
          ['k8', 'back'],
          ['newer', 'n'],
        ],
        settings,
      );
      assert.deepEqual([second.added, second.unchanged], [['newer=n'], 3]);
      await bench.baseline.compact({ always: true });
      assert.equal(bench.baseline.state!.hashing?.former?.count, OLDER_ROWS.length - 3);

      const third = await bench.run(OLDER_ROWS, settings);
      assert.deepEqual([third.added, third.unchanged], [[], OLDER_ROWS.length]);
      assert.equal(bench.baseline.state!.hashing?.former, undefined);
      const last = await bench.run([...OLDER_ROWS, ['new', 'n'], ['newest', 'n']], settings);
      assert.deepEqual([last.added, last.unchanged], [['newest=n'], OLDER_ROWS.length + 1]);
    }));

  test(`a key that meets another under the former hash is a key of its own (state memory ${stateMemoryBytes})`, () =>
    withOlder('row', async bench => {
      const settings = { retained: 'row', stateMemoryBytes } as const;
      const rows: Row[] = [...OLDER_ROWS, [B, 'v']];
      const told = await bench.run(rows, settings);
      assert.deepEqual([told.added, told.updated, told.removed], [[`${B}=v`], [], []]);
      assert.deepEqual((await bench.run(rows, settings)).unchanged, rows.length);
      await assert.rejects(bench.run([...rows, [B, 'v']], settings), { code: 'KEY_DUPLICATE' });
      const fewer = await bench.run(OLDER_ROWS, settings);
      assert.deepEqual([fewer.removed, fewer.unchanged], [[`${B}=v`], OLDER_ROWS.length]);
    }));

  test(`a key that comes twice is refused while a baseline is carried over (state memory ${stateMemoryBytes})`, () =>
    withOlder('row', async bench => {
      const settings = { retained: 'row', stateMemoryBytes } as const;
      for (const twice of ['k3', 'new', B])
        await assert.rejects(
          bench.run([...OLDER_ROWS.slice(1), [B, 'v'], ['new', 'v'], [twice, 'v']], settings),
          { code: 'KEY_DUPLICATE', message: /^1 row whose/ },
        );
    }));

  test(`a former key that two keys could stand for is given to the first that comes (state memory ${stateMemoryBytes})`, () =>
    withOlder('nothing', async bench => {
      const settings = { retained: 'nothing', keysOnly: true, stateMemoryBytes } as const;
      await bench.run([['k0', 'v']], settings);
      const both = await bench.run(
        [
          ['k0', 'v'],
          [A, 'v'],
          [B, 'v'],
        ],
        settings,
      );
      assert.equal(both.added.length, 1);
      const again = await bench.run(
        [
          [A, 'v'],
          [B, 'v'],
        ],
        settings,
      );
      assert.deepEqual([again.added, again.unchanged], [[], 2]);
    }));
}

test('an older baseline that is damaged is refused before it is carried over', () =>
  withOlder('row', async bench => {
    Object.assign(bench.baseline.state!, { digest: { low: 1, high: 2 } });
    await assert.rejects(bench.run(OLDER_ROWS, { retained: 'row' }), { code: 'STATE_DAMAGED' });
  }));

test('a large older baseline is carried over though it does not fit in memory', () =>
  withOlder('row', async bench => {
    const rows = Array.from({ length: 30_000 }, (_, index): Row => [`key ${index}`, `value ${index % 100}`]);
    const state = bench.baseline.state!;
    await applyOlder(bench.baseline, rows, { ...state, generation: 9 });
    const settings = { retained: 'row', stateMemoryBytes: 300_000 } as const;
    const { removed, updated, unchanged } = await bench.run(
      rows.slice(100).map(([key, value]): Row => [key!, value === 'value 7' ? 'other' : value!]),
      settings,
    );
    assert.deepEqual([removed.length, updated.length, unchanged], [100, 299, 29_601]);
    assert.equal((await bench.run(rows, settings)).updated.length, 299);
  }));
