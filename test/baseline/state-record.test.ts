import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { Baseline } from '../../src/baseline/baseline.ts';
import { stateRecordBytes } from '../../src/baseline/state-record.ts';
import { SluiceError } from '../../src/errors.ts';

const RECORD = {
  generation: 3,
  run: '20250414-070000-123-k3f9ab',
  count: 2,
  digest: { low: -1, high: 5 },
  identity: '{"columns":[["id","id","integer","int64"]],"key":["id"]}',
  retained: 'nothing',
  layout: { epoch: 1, chunks: 0, records: 0 },
  hashing: { function: 'siphash-2-4-128/1-3-64', secret: '0123456789abcdef'.repeat(2) },
};

async function opened(record: string): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-record-'));
  try {
    const pages = new Level<string, string>(folder);
    await pages.put('m', record);
    await pages.close();
    const baseline = await Baseline.open(folder);
    const { state } = baseline;
    await baseline.close();
    return state;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the record of a baseline is read, with fields of other versions', async () => {
  const record = { ...RECORD, later: 1, seed: [1, 2, 3, 4], position: { system: '7', timeline: 1 } };
  assert.deepEqual(await opened(JSON.stringify(record)), record);
});

test('a damaged record of a baseline is called damaged, with a way on', async () => {
  const damaged: readonly unknown[] = [
    null,
    [],
    7,
    { ...RECORD, layout: undefined },
    { ...RECORD, layout: { ...RECORD.layout, chunks: -1 } },
    { ...RECORD, generation: '3' },
    { ...RECORD, generation: 1.5 },
    { ...RECORD, generation: 2 ** 53 },
    { ...RECORD, digest: null },
    { ...RECORD, identity: undefined },
    { ...RECORD, retained: 'all' },
    { ...RECORD, hashing: { ...RECORD.hashing, secret: 'short' } },
    { ...RECORD, appended: [null] },
    { ...RECORD, changes: {} },
  ];
  for (const text of [
    ...damaged.map(record => JSON.stringify(record)),
    '',
    '{"generation":3',
    '\u0000\u0001',
  ]) {
    await assert.rejects(opened(text), (error: SluiceError) => {
      assert.ok(error instanceof SluiceError, text);
      assert.equal(error.code, 'STATE_DAMAGED', text);
      assert.match(error.hint, /--full/);
      return true;
    });
  }
});

test('a record with a checksum is read as it was written, or not at all', async () => {
  const text = stateRecordBytes(RECORD).toString();
  assert.deepEqual(await opened(text), RECORD);
  const damaged = text.replace('0123456789abcdef', '0123456789abcdee');
  await assert.rejects(opened(damaged), { code: 'STATE_DAMAGED' });
});
