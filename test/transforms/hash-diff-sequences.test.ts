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
import { Change, type RowBatch } from '../../src/row-batch.ts';
import { HashDiff } from '../../src/transforms/hash-diff.ts';
import { someOf } from '../support/all-cases.ts';
import { applyOlder } from '../support/older-baseline.ts';
import { fromBatch, inBatches, type Row } from '../support/row-batches.ts';

/** What a batch's memory is overwritten with as it is given back. */
const SPOILT = 0xa5;

/** How the next run's keys come of the last one's. */
const ORDERS = {
  same: keys => keys,
  reversed: keys => keys.toReversed(),
  sorted: keys => keys.toSorted(),
  shuffled: (keys, pick) => {
    const all = [...keys];
    for (let last = all.length - 1; last > 0; last--) {
      const other = pick(last + 1);
      [all[last], all[other]] = [all[other]!, all[last]!];
    }
    return all;
  },
  halvesSwapped: keys => [...keys.slice(keys.length >> 1), ...keys.slice(0, keys.length >> 1)],
  interleaved: keys => {
    const half = keys.length >> 1;
    const pairs = keys.slice(0, half).flatMap((key, index) => [key, keys[index + half]!]);
    return [...pairs, ...keys.slice(2 * half)];
  },
  someVanish: (keys, pick) => keys.filter(() => pick(3) > 0),
  allReturn: (keys, pick, known) => {
    const all = [...keys];
    const here = new Set(keys);
    for (const key of known) if (!here.has(key)) all.splice(pick(all.length + 1), 0, key);
    return all;
  },
  someCome: (keys, pick) => [...keys, ...Array.from({ length: 200 }, () => `n${pick(1e9)}`)],
} satisfies Record<
  string,
  (keys: string[], pick: (below: number) => number, known: Iterable<string>) => string[]
>;

const run = fc.record({
  order: fc.constantFrom(...(Object.keys(ORDERS) as (keyof typeof ORDERS)[])),
  changedOf1000: fc.constantFrom(0, 1, 20, 500),
  repeats: fc.boolean(),
  batchRows: fc.integer({ min: 1, max: 900 }),
  // Bytes for each key: from "everything waits on disk" to "everything fits".
  memoryPerKey: fc.constantFrom(0, 12, 30, 40, 1e6),
  appliesTwice: fc.boolean(),
  compacts: fc.constantFrom('no', 'when due', 'always'),
  reopens: fc.boolean(),
  // The next run finds what an older version would have left.
  becomesOlder: fc.constantFrom(false, false, true),
});
const history = fc.record({
  random: fc.integer(),
  size: fc.constantFrom(10, 600, 6000),
  mode: fc.constantFrom(
    { retained: 'row', keysOnly: false } as const,
    { retained: 'key', keysOnly: false } as const,
    { retained: 'nothing', keysOnly: false } as const,
    { retained: 'nothing', keysOnly: true } as const,
  ),
  runs: fc.array(run, { minLength: 3, maxLength: 5 }),
});

function picker(random: number): (below: number) => number {
  let state = random;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

function* lent(rows: readonly Row[], batchRows: number): Generator<RowBatch> {
  for (const batch of inBatches(rows, batchRows)) {
    batch.release = () => {
      batch.bytes.fill(SPOILT);
      batch.rowBounds.fill(-1);
    };
    yield batch;
  }
}

test('over generated histories the diff says what Maps say, and the baseline is what its digest says', () =>
  fc.assert(
    fc.asyncProperty(history, async ({ random, size, mode, runs }) => {
      const pick = picker(random);
      const { retained, keysOnly } = mode;
      const folder = await mkdtemp(join(tmpdir(), 'sluice-sequences-'));
      let baseline = await Baseline.open(join(folder, 'baseline'));
      try {
        let keys = Array.from({ length: size }, (_, index) => `k${index}`);
        const values = new Map<string, string>();
        let before = new Map<string, string>();
        for (const [number, settings] of runs.entries()) {
          keys = ORDERS[settings.order](keys, pick, values.keys());
          for (const key of keys)
            if (!values.has(key) || pick(1000) < settings.changedOf1000)
              values.set(key, `${number} ${pick(9)}`);
          const rows: Row[] = [];
          let repeated = 0;
          for (const key of keys) {
            rows.push([key, values.get(key)!]);
            if (!settings.repeats || pick(200) > 0) continue;
            rows.push([keys[0]!, 'again'], [null, 'no key']);
            repeated++;
          }

          const path = join(folder, `delta-${number}`);
          const deltaLog = await DeltaLogWriter.create(path, { keepsValues: retained !== 'nothing' });
          const spill = new Spill(join(folder, `spill-${number}`));
          const diff = new HashDiff({
            baseline: baseline.state && baseline,
            deltaLog,
            spill,
            hashing: baseline.state?.hashing ?? newRowHashing(),
            keyFields: [0],
            keyNames: ['id'],
            fieldCount: 2,
            retained,
            keysOnly,
            sendsRemoved: retained !== 'nothing',
            onNullKey: 'skip',
            onDuplicateKey: 'first',
            stateMemoryBytes: size * settings.memoryPerKey,
          });
          const told: Record<'added' | 'updated' | 'removed', string[]> = {
            added: [],
            updated: [],
            removed: [],
          };
          const batches = lent(rows, settings.batchRows) as unknown as AsyncIterable<RowBatch>;
          for await (const batch of diff.transform(batches)) {
            fromBatch(batch, 2).forEach((row, index) => {
              for (const name of ['added', 'updated', 'removed'] as const)
                if (batch.changes![index] === Change[name]) told[name].push(JSON.stringify(row));
            });
            batch.release?.();
          }
          await deltaLog.seal({});
          await spill.remove();

          const now = new Map(keys.map(key => [key, values.get(key)!]));
          const added = [...now].filter(([key]) => !before.has(key));
          const updated = [...now].filter(
            ([key, value]) => !keysOnly && before.has(key) && before.get(key) !== value,
          );
          const removed = [...before].filter(([key]) => !keysOnly && !now.has(key));
          const sent = retained === 'nothing' ? [] : removed;
          assert.deepEqual(told.added.sort(), added.map(row => JSON.stringify(row)).sort());
          assert.deepEqual(told.updated.sort(), updated.map(row => JSON.stringify(row)).sort());
          assert.deepEqual(
            told.removed.sort(),
            sent.map(([key, value]) => JSON.stringify([key, retained === 'row' ? value : null])).sort(),
          );
          assert.deepEqual(diff.counts, {
            read: rows.length,
            added: added.length,
            updated: updated.length,
            removed: removed.length,
            unchanged: now.size - added.length - updated.length,
            nullKeys: repeated,
            duplicateKeys: repeated,
          });

          before = keysOnly ? new Map([...now, ...before]) : now;
          const { digest } = diff;
          const generation = number + 1;
          const next = {
            generation,
            run: 'r',
            count: before.size,
            digest,
            hashing: diff.hashing,
            identity: '',
            retained,
          };
          const replace = baseline.state?.hashing === undefined;
          await baseline.apply(path, next, { replace });
          if (settings.appliesTwice) await baseline.apply(path, next, { replace });
          if (settings.compacts !== 'no') await baseline.compact({ always: settings.compacts === 'always' });
          if (settings.reopens) {
            await baseline.close();
            baseline = await Baseline.open(join(folder, 'baseline'));
          }
          assert.deepEqual(await baseline.measure(), { count: before.size, digest });
          if (settings.becomesOlder) {
            await applyOlder(baseline, [...before], { ...next, generation: generation + 0.5 });
            assert.equal((await baseline.measure()).count, before.size);
          }
        }
      } finally {
        await baseline.close();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: someOf(20) },
  ));
