import assert from 'node:assert/strict';
import test from 'node:test';
import type { Job } from '../../../src/daemon/processes/run-messages.ts';
import type { ProcessOutcome, RunProcess } from '../../../src/daemon/processes/run-process.ts';
import { SideJobs } from '../../../src/daemon/processes/side-jobs.ts';
import type { SluiceError } from '../../../src/errors.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

/** Processes that end when they are killed, or when a test says so. */
function openJobs() {
  const clock = new ManualClock();
  const begun: string[] = [];
  const finish: (() => void)[] = [];
  const jobs = new SideJobs(({ activation }: Job) => {
    begun.push(activation);
    let end: (outcome: ProcessOutcome) => void = () => {};
    const ended = new Promise<ProcessOutcome>(resolve => (end = resolve));
    finish.push(() => end({ result: { kind: 'recover', recovered: [] } }));
    return { ended, kill: (error: SluiceError) => end({ error }) } as unknown as RunProcess;
  }, clock);
  const recover = (activation: string) => ({ kind: 'recover', activation }) as const;
  return { clock, jobs, begun, finish, recover };
}

test('jobs of one room that hang keep those of another from nothing', async () => {
  const { jobs, begun, finish, recover } = openJobs();
  const hanging = ['a', 'b', 'c'].map(name => jobs.run(recover(name), { room: 'check' }));
  const probe = jobs.run(recover('probe'), { room: 'probe' });
  const recovery = jobs.run(recover('recovery'), { room: 'recovery' });
  await settled();
  assert.deepEqual(begun, ['a', 'b', 'probe', 'recovery']);
  for (const end of finish) end();
  await Promise.all([probe, recovery]);
  await settled();
  assert.equal(begun.at(-1), 'c', 'who waited has the next turn');
  finish.at(-1)!();
  await Promise.all(hanging);
});

test('the time limit of a job counts from its turn, ends its process, and gives the turn on', async () => {
  const { clock, jobs, begun, recover } = openJobs();
  const limited = (name: string): Promise<unknown> =>
    jobs.run(recover(name), { room: 'check', timeoutMs: 60_000 });
  const first = [limited('a'), limited('b')].map(job =>
    assert.rejects(job, { code: 'SOURCE_TIMEOUT', message: /within 60 s/ }),
  );
  await clock.pass(59_000);
  const last = assert.rejects(limited('c'), { code: 'SOURCE_TIMEOUT' });
  await clock.pass(1_000);
  await Promise.all(first);
  await settled();
  assert.deepEqual(begun, ['a', 'b', 'c']);
  await clock.pass(59_999);
  assert.equal(clock.waiting, 1);
  await clock.pass(1);
  await last;
  assert.equal(clock.waiting, 0);
});

test('who goes away before the turn has come is told that there was no room', async () => {
  const { jobs, begun, finish, recover } = openJobs();
  const running = ['a', 'b'].map(name => jobs.run(recover(name), { room: 'probe' }));
  const away = new AbortController();
  const waiting = assert.rejects(jobs.run(recover('c'), { room: 'probe', signal: away.signal }), {
    code: 'TOO_MANY_REQUESTS',
  });
  away.abort();
  await waiting;
  for (const end of finish) end();
  await Promise.all(running);
  assert.deepEqual(begun, ['a', 'b']);
});
