import assert from 'node:assert/strict';
import {
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { parseConfig } from '../../../src/config/load.ts';
import { Configuration } from '../../../src/daemon/configuration.ts';
import { RunHistory } from '../../../src/daemon/history/run-history.ts';
import { listRuns } from '../../../src/daemon/history/run-list.ts';
import type { RunPage } from '../../../src/daemon/operations.ts';
import { RunQueue } from '../../../src/daemon/queue/run-queue.ts';
import { historyFolder } from '../../../src/disk/data-directory.ts';
import { keepRecord } from '../../../src/history/record-files.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { record } from '../support/records.ts';

const KEY = 'monday';

interface HistoryOfOne {
  readonly history: RunHistory;
  readonly dataDirectory: string;
  readonly folder: string;
  readonly run: string;
}

async function historyOfOne(t: TestContext): Promise<HistoryOfOne> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-history-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const history = await RunHistory.open(dataDirectory);
  const kept = record('succeeded', { idempotencyKey: KEY });
  await history.keep(kept);
  const folder = historyFolder(dataDirectory, kept.activation);
  return { history, dataDirectory, folder, run: kept.run };
}

test('names that nobody knows are refused and not remembered, however many are asked for', async t => {
  const { history, dataDirectory, run } = await historyOfOne(t);
  const configuration = new Configuration(() =>
    parseConfig({ text: JSON.stringify({ version: 1, dataDirectory }), environment: {} }),
  );
  const list = (activation: string): Promise<RunPage> =>
    listRuns({ activation, limit: 1 }, { queue: new RunQueue(), history, configuration });
  for (let index = 0; index < 5000; index++) {
    await assert.rejects(list(`unknown_${index}`), { code: 'NAME_UNKNOWN' });
  }
  // A run that is not known is looked for in each of these.
  assert.deepEqual(history.activations(), ['a']);
  assert.equal(await history.read('20250414-070000-123-k3f9ab'), undefined);
  // The activation is not in the configuration any more, and its runs are there.
  assert.equal((await list('a')).records[0]?.run, run);
});

test('a run that a command made is found by its id, though nobody has asked for its activation', async t => {
  const { history, dataDirectory } = await historyOfOne(t);
  const made = { ...record('succeeded'), activation: 'new' };
  await history.refresh('new');
  await mkdir(historyFolder(dataDirectory, 'new'), { recursive: true });
  await keepRecord(historyFolder(dataDirectory, 'new'), made);
  assert.equal((await history.read(made.run))?.activation, 'new');
  assert.equal(history.has(made.run), true);
});

test('looking for one run looks through no folder', async t => {
  const { history, dataDirectory } = await historyOfOne(t);
  for (const activation of ['b', 'c']) {
    const folder = historyFolder(dataDirectory, activation);
    await mkdir(folder, { recursive: true });
    await keepRecord(folder, { ...record('succeeded'), activation });
  }
  assert.equal(await history.read('20250414-070000-123-k3f9ab'), undefined);
  assert.deepEqual(history.activations(), ['a']);
});

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
  assert.equal(history.runOf(activation, KEY), undefined, 'asking again would fail forever');
});

/** Records of activation `a` in a data directory that a daemon has already served. */
async function served(
  t: TestContext,
  records: readonly RunRecord[],
): Promise<{ dataDirectory: string; folder: string }> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-history-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const history = await RunHistory.open(dataDirectory);
  for (const kept of records) await history.keep(kept);
  await history.refresh('a');
  return { dataDirectory, folder: historyFolder(dataDirectory, 'a') };
}

/**
 * Makes the record unreadable in a way that its file does not show: whoever opens the
 * history must not have read it.
 */
async function garble(folder: string, { run }: RunRecord): Promise<void> {
  const path = join(folder, `${run}.json`);
  const { size, atime, mtime } = await stat(path);
  await writeFile(path, ' '.repeat(size));
  await utimes(path, atime, mtime);
}

const keyed = (key: string): RunRecord => record('succeeded', { idempotencyKey: key });

test('a start reads only the records that were written since the last one', async t => {
  const known = [keyed('one'), record('failed'), keyed('two')];
  const { dataDirectory, folder } = await served(t, known);
  // Times of files are whole milliseconds from here on, as `utimes` leaves them.
  for (const { run } of known) {
    const path = join(folder, `${run}.json`);
    const { atime, mtime } = await stat(path);
    await utimes(path, atime, mtime);
  }
  await RunHistory.open(dataDirectory);
  for (const kept of known) await garble(folder, kept);
  const fresh = keyed('three');
  await keepRecord(folder, fresh);
  const history = await RunHistory.open(dataDirectory);
  assert.deepEqual(
    ['one', 'two', 'three'].map(key => history.runOf('a', key)),
    [known[0]!.run, known[2]!.run, fresh.run],
  );
  assert.deepEqual(
    history.entriesOf('a').map(({ state }) => state),
    ['succeeded', 'succeeded', 'failed', 'succeeded'],
  );
  assert.equal(history.lastSuccess('a')?.endedAt, fresh.endedAt);
});

test('an index that is damaged, or behind, costs no key', async t => {
  const known = [keyed('one'), keyed('two'), keyed('three')];
  const { dataDirectory } = await served(t, known);
  const path = join(dataDirectory, 'daemon', 'history', 'a');
  const keysFound = async (): Promise<unknown[]> => {
    const history = await RunHistory.open(dataDirectory);
    return ['one', 'two', 'three'].map(key => history.runOf('a', key));
  };
  const whole = await readFile(path);
  assert.ok(whole.includes('two'), 'the index tells keys');
  for (let bytes = 0; bytes < whole.length; bytes += 37) {
    await writeFile(path, whole.subarray(0, bytes));
    assert.deepEqual(
      await keysFound(),
      known.map(({ run }) => run),
      `cut after ${bytes} bytes`,
    );
    assert.deepEqual(
      await keysFound(),
      known.map(({ run }) => run),
      `fixed after ${bytes} bytes`,
    );
  }
  await writeFile(path, whole.toString().replace('"two"', '"TWO"'));
  assert.deepEqual(
    await keysFound(),
    known.map(({ run }) => run),
    'a line that does not add up is no line',
  );
  await writeFile(path, Buffer.alloc(whole.length));
  assert.deepEqual(
    await keysFound(),
    known.map(({ run }) => run),
    'zeros, as a power cut leaves them',
  );
});

test('the index does not bring back what was removed while nobody looked', async t => {
  const [gone, left] = [keyed('one'), keyed('two')];
  const { dataDirectory, folder } = await served(t, [gone, left]);
  await unlink(join(folder, `${gone.run}.json`));
  const history = await RunHistory.open(dataDirectory);
  assert.equal(history.runOf('a', 'one'), undefined);
  assert.equal(history.has(gone.run), false);
  assert.equal(history.runOf('a', 'two'), left.run);
});

test('a record that a command has written again is taken in, at once and by a start', async t => {
  const failed = record('failed', { idempotencyKey: 'one' });
  const { dataDirectory, folder } = await served(t, [failed]);
  const history = await RunHistory.open(dataDirectory);
  await keepRecord(folder, { ...failed, state: 'recovered' });
  await history.refresh('a');
  assert.equal(history.lastSuccess('a')?.run, failed.run);
  await keepRecord(folder, { ...failed, state: 'cancelled' });
  assert.equal((await RunHistory.open(dataDirectory)).entriesOf('a')[0]?.state, 'cancelled');
});

test('a folder that was not changed since is believed without a look at its files, and one that was is not', async t => {
  const known = [keyed('one'), keyed('two')];
  const { dataDirectory, folder } = await served(t, known);
  const past = new Date('2026-01-01T00:00:00Z');
  await utimes(folder, past, past);
  await RunHistory.open(dataDirectory);
  const keysOf = async (): Promise<unknown[]> => {
    const history = await RunHistory.open(dataDirectory);
    return ['one', 'two', 'three'].map(key => history.runOf('a', key));
  };
  const path = join(folder, `${known[0]!.run}.json`);
  const whole = await readFile(path);
  await writeFile(path, 'written in place, as nobody does');
  assert.deepEqual(await keysOf(), [known[0]!.run, known[1]!.run, undefined]);
  await writeFile(path, whole);
  // Written again with another key, as no command does either.
  await keepRecord(folder, { ...known[1]!, idempotencyKey: 'three' });
  assert.deepEqual(await keysOf(), [known[0]!.run, undefined, known[1]!.run]);
  // A line that was lost takes the seal with it.
  await utimes(folder, past, past);
  await RunHistory.open(dataDirectory);
  const index = join(dataDirectory, 'daemon', 'history', 'a');
  await writeFile(index, (await readFile(index, 'utf8')).replace('"three"', '"THREE"'));
  assert.deepEqual(await keysOf(), [known[0]!.run, undefined, known[1]!.run]);
});

test('the index stays small however many runs there were', async t => {
  const { dataDirectory } = await served(t, []);
  const history = await RunHistory.open(dataDirectory);
  for (let round = 0; round < 15; round++) {
    await Promise.all(Array.from({ length: 100 }, () => history.keep(record('succeeded'))));
    await history.prune('a', { keepRuns: 10, keepFor: 0 }, new Date('2026-07-01T00:00:00Z'));
  }
  const lines = (await readFile(join(dataDirectory, 'daemon', 'history', 'a'), 'utf8')).split('\n').length;
  assert.ok(lines <= 600, `${lines} lines for 10 records`);
  assert.equal((await RunHistory.open(dataDirectory)).entriesOf('a').length, 10);
});

test('a key that a client gave finds its run for a day, however many runs came since', async t => {
  const { dataDirectory } = await served(t, []);
  const history = await RunHistory.open(dataDirectory);
  const end = (day: string) => ({ endedAt: `2026-06-${day}T12:00:00.000Z` });
  const old = record('succeeded', { ...end('09'), trigger: 'http', idempotencyKey: 'old' });
  const young = record('failed', { ...end('10'), trigger: 'http', idempotencyKey: 'young' });
  const due = record('failed', { ...end('10'), trigger: 'schedule', idempotencyKey: 'schedule due' });
  const plain = record('failed', { ...end('10'), trigger: 'http' });
  const last = record('succeeded', { ...end('10'), trigger: 'command' });
  for (const kept of [old, young, due, plain, last]) await history.keep(kept);
  const left = async (now: string, limits: { keepRuns: number; keepFor: number }): Promise<string[]> => {
    await history.prune('a', limits, new Date(now));
    return history.entriesOf('a').map(({ run }) => run);
  };
  const one = { keepRuns: 1, keepFor: 0 };
  assert.deepEqual(await left('2026-06-10T13:00:00Z', one), [last.run, young.run]);
  assert.equal(history.runOf('a', 'young'), young.run);
  assert.deepEqual(await left('2026-06-11T11:59:59Z', one), [last.run, young.run]);
  assert.deepEqual(await left('2026-06-11T12:00:00Z', one), [last.run]);
  const kept = record('failed', { ...end('12'), trigger: 'http', idempotencyKey: 'kept' });
  await history.keep(kept);
  assert.deepEqual(await left('2026-06-12T13:00:00Z', { keepRuns: 1, keepFor: 1_800_000 }), [last.run]);
});
