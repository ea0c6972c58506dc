import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RunHistory } from '../../src/daemon/history/run-history.ts';
import { historyFolder } from '../../src/disk/data-directory.ts';
import { keepRecord } from '../../src/history/record-files.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { make, withWorld } from './support/daemon-world.ts';
import { ManualClock } from './support/manual-clock.ts';
import { MemoryLog } from './support/memory-log.ts';
import { record } from './support/records.ts';

const DAY = 86_400_000;
let made = 0;

/** A run that by its id was made at that instant. */
function madeAt(instant: string, state: RunRecord['state'], more: Partial<RunRecord> = {}): RunRecord {
  const digits = instant.replace(/\D/g, '').padEnd(17, '0');
  const run = `${digits.slice(0, 8)}-${digits.slice(8, 14)}-${digits.slice(14)}-${String(++made).padStart(6, '0')}`;
  const { warnings: _, counts: __, ...rest } = more;
  return { ...record(state), run, startedAt: instant, endedAt: instant, idempotencyKey: run, ...rest };
}

async function historyOf(t: TestContext, clock: ManualClock, ...records: RunRecord[]): Promise<RunHistory> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-clock-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const first = await RunHistory.open(dataDirectory, { clock });
  for (const kept of records) await first.keep(kept);
  // As the next daemon reads it.
  return RunHistory.open(dataDirectory, { clock });
}

test('a run that is dated later than now is older than those that are not', async t => {
  const clock = new ManualClock('2026-06-10T00:00:00Z');
  const old = madeAt('2026-06-01T00:00:00Z', 'succeeded');
  const ahead = madeAt('2027-01-01T00:00:00Z', 'succeeded');
  const fresh = madeAt('2026-06-09T00:00:00Z', 'failed');
  const history = await historyOf(t, clock, old, ahead, fresh);
  const newest = async () => (await history.newest('a', 3)).map(({ run }) => run);
  assert.deepEqual(await newest(), [fresh.run, old.run, ahead.run]);
  assert.equal(history.lastSuccess('a')?.run, old.run);
  assert.equal(history.entriesOf('a')[0]?.run, ahead.run, 'lists stay in the order of ids');

  clock.set('2027-02-01T00:00:00Z');
  assert.deepEqual(
    await newest(),
    [ahead.run, fresh.run, old.run],
    'when the clock is there it is as its id says',
  );
});

test('a clock that was put right by minutes changes the order of nothing', async t => {
  const clock = new ManualClock('2026-06-10T00:00:00Z');
  const last = madeAt('2026-06-10T00:30:00Z', 'succeeded');
  const history = await historyOf(t, clock, madeAt('2026-06-09T00:00:00Z', 'succeeded'), last);
  assert.equal(history.lastSuccess('a')?.run, last.run);
});

test('runs of a clock that was ahead do not push new ones, and their keys, out of the history', async t => {
  const clock = new ManualClock('2026-06-10T00:00:00Z');
  const ahead = ['2027-01-01', '2027-01-02', '2027-01-03'].map(day =>
    madeAt(`${day}T00:00:00Z`, 'succeeded'),
  );
  const fresh = [madeAt('2026-06-09T00:00:00Z', 'succeeded'), madeAt('2026-06-09T12:00:00Z', 'failed')];
  const history = await historyOf(t, clock, ...ahead, ...fresh);
  assert.equal(await history.prune('a', { keepRuns: 3, keepFor: 90 * DAY }, clock.now()), 2);
  for (const { run, idempotencyKey } of fresh) assert.equal(history.runOf('a', idempotencyKey!), run);
  assert.equal(history.has(ahead[2]!.run), true, 'of those ahead the last goes last');
});

test('after the clock was set back an activation shows its last run, and pauses itself', () =>
  withWorld(
    {
      daemon: {
        retry: { attempts: 1, minDelay: '50ms', maxDelay: '200ms' },
        pauseAfterFailures: 2,
        history: { keepFor: '0' },
      },
    },
    async world => {
      const folder = historyFolder(world.dataDirectory, 'one');
      await mkdir(folder, { recursive: true });
      await keepRecord(folder, madeAt('2999-01-01T00:00:00Z', 'succeeded', { activation: 'one' }));
      await mkdir(join(world.dataDirectory, 'daemon'));
      const resumed = { one: '2999-01-01T00:00:00.000Z' };
      await writeFile(
        join(world.dataDirectory, 'daemon', 'pauses.json'),
        JSON.stringify({ version: 1, pauses: {}, resumed }),
      );
      const log = new MemoryLog();
      const daemon = await world.start({ log });
      const success = await make(daemon, 'one');
      assert.equal(success.state, 'succeeded');
      const status = await daemon.activation('one');
      assert.equal(status.lastRun?.run, success.run);
      assert.equal(status.lastSuccessAt, success.endedAt);
      await world.database.sql('alter table t rename to gone');
      for (let failure = 0; failure < 2; failure++) await make(daemon, 'one');
      await log.until(({ message }) => message.startsWith('activation paused'));
    },
  ));
