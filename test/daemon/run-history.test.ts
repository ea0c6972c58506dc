import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { RunHistory } from '../../src/daemon/run-history.ts';
import { historyFolder } from '../../src/run/history.ts';
import { record } from './support/records.ts';

const KEY = 'monday';

async function historyOfOne(t: TestContext): Promise<{ history: RunHistory; folder: string; run: string }> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-history-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const history = await RunHistory.open(dataDirectory);
  const kept = record('succeeded', { idempotencyKey: KEY });
  await history.keep(kept);
  const folder = historyFolder(dataDirectory, kept.activation);
  return { history, folder, run: kept.run };
}

test('a folder that cannot be read for a while takes no key away', async t => {
  const { history, folder, run } = await historyOfOne(t);
  const { activation } = (await history.read(run))!;
  await rename(folder, `${folder}.aside`);
  await symlink(folder, folder);
  await history.refresh(activation);
  assert.equal(history.runOf(activation, KEY), run, 'a second run would be made');
  await unlink(folder);
  await rename(`${folder}.aside`, folder);
  await history.refresh(activation);
  assert.equal((await history.read(run))?.run, run);
});

test('a record that somebody removed takes its key with it, as soon as it is missed', async t => {
  const { history, folder, run } = await historyOfOne(t);
  const { activation } = (await history.read(run))!;
  await rm(folder, { recursive: true });
  assert.equal(await history.read(run), undefined);
  assert.equal(history.runOf(activation, KEY), undefined, 'asking again would fail for ever');
});
