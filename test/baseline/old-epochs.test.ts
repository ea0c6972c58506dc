import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Level } from 'level';
import { Baseline, type BaselineState } from '../../src/baseline/baseline.ts';
import { epochRange } from '../../src/baseline/baseline-pages.ts';
import { DeltaLogWriter } from '../../src/baseline/delta-log.ts';
import { BUCKETS, KeyTable } from '../../src/baseline/key-table.ts';

const RECORD = Int32Array.of(1, 2, 3, 4, 5, 6);
const EPOCHS = 8;

function digestOfRecord(): KeyTable['digest'] {
  const table = new KeyTable();
  for (let bucket = 0; bucket < BUCKETS; bucket++) table.open(bucket, 0);
  table.load(RECORD, 0, 0);
  return table.digest;
}

async function pagesByEpoch(path: string): Promise<number[]> {
  const pages = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  try {
    await pages.open();
    const counts: number[] = [];
    for (let epoch = 0; epoch < EPOCHS; epoch++)
      counts.push((await pages.keys(epochRange(epoch)).all()).length);
    return counts;
  } finally {
    await pages.close();
  }
}

/**
 * Puts the pages of another copy beside those of a baseline: what a crash leaves before
 * it clears the old epoch.
 */
async function addPages(path: string, from: string): Promise<void> {
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
  const [to, source] = [new Level<Buffer, Buffer>(path, options), new Level<Buffer, Buffer>(from, options)];
  try {
    for await (const [key, value] of source.iterator(epochRange(1))) await to.put(key, value);
  } finally {
    await Promise.all([to.close(), source.close()]);
  }
}

for (const way of ['compaction', 'new baseline'] as const) {
  test(`a ${way} clears what an earlier one left that crashed behind its switch`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-epochs-'));
    const [path, copy, log] = [join(folder, 'baseline'), join(folder, 'copy'), join(folder, 'delta')];
    try {
      const deltaLog = await DeltaLogWriter.create(log, { keepsValues: false });
      deltaLog.upsert(RECORD, 0, Buffer.alloc(0), 0, 0);
      await deltaLog.seal({});
      const state: BaselineState = {
        generation: 1,
        run: 'r',
        count: 1,
        digest: digestOfRecord(),
        seed: [1, 2, 3, 4],
        identity: '',
        retained: 'nothing',
      };
      let baseline = await Baseline.open(path);
      await baseline.apply(log, state, { replace: false });
      await baseline.close();
      await cp(path, copy, { recursive: true });
      baseline = await Baseline.open(path);
      await baseline.compact({ always: true });
      await baseline.close();
      await addPages(path, copy);
      assert.deepEqual(await pagesByEpoch(path), [0, 1, 1, 0, 0, 0, 0, 0]);

      baseline = await Baseline.open(path);
      if (way === 'compaction') await baseline.compact({ always: true });
      else await baseline.apply(log, { ...state, generation: 2 }, { replace: true });
      assert.deepEqual(await baseline.measure(), { count: 1, digest: state.digest });
      await baseline.close();
      assert.deepEqual(await pagesByEpoch(path), [0, 0, 0, 1, 0, 0, 0, 0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
