import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { ScheduleTarget } from '../../../src/daemon/parts.ts';
import { CronScheduler, SCHEDULES_DOCUMENT } from '../../../src/daemon/schedule/cron-scheduler.ts';
import { SluiceError } from '../../../src/errors.ts';
import { activation } from '../support/activations.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { dueInstants, wallClock } from './wall-clock-oracle.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Whoever makes runs: says what it is told to, and notes what it is asked for. */
class Target implements ScheduleTarget {
  readonly asked: { activation: string; dueAt: string; at: string }[] = [];
  /** What makes a request one and the same. */
  readonly keys: string[] = [];
  readonly busy = new Set<string>();
  readonly waiting = new Set<string>();
  readonly paused = new Set<string>();
  /** Rejects or waits, where a test wants that. */
  answer: () => Promise<void> = async () => {};
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  isBusy = (name: string): boolean => this.busy.has(name);
  hasScheduledWaiting = (name: string): boolean => this.waiting.has(name);
  isPaused = (name: string): boolean => this.paused.has(name);

  async trigger(name: string, dueAt: Date, setBackAt: Date | undefined): Promise<void> {
    this.keys.push(`${name} ${dueAt.toISOString()} ${setBackAt?.toISOString()}`);
    this.asked.push({ activation: name, dueAt: dueAt.toISOString(), at: this.#clock.now().toISOString() });
    await this.answer();
  }

  /** When runs began. */
  get times(): string[] {
    return this.asked.map(({ at }) => at);
  }
}

class World {
  readonly clock: ManualClock;
  readonly documents = new MemoryDocuments();
  readonly log = new MemoryLog();
  target: Target;
  scheduler: CronScheduler;

  constructor(now: string) {
    this.clock = new ManualClock(now, 1);
    this.target = new Target(this.clock);
    this.scheduler = this.#make();
  }

  #make(): CronScheduler {
    const { target, clock, documents, log } = this;
    return new CronScheduler({ target, clock, documents, log });
  }

  async schedule(...activations: ResolvedActivation[]): Promise<void> {
    await this.scheduler.schedule(activations);
    await settled();
  }

  /** The daemon ends and is started again after a while. */
  async restart(downMs: number, ...activations: ResolvedActivation[]): Promise<void> {
    this.scheduler.stop();
    await this.clock.pass(downMs);
    this.scheduler = this.#make();
    await this.schedule(...activations);
  }
}

const daily = (keys: Record<string, unknown> = {}): ResolvedActivation =>
  activation('daily', { schedule: [{ cron: '0 7 * * *', timezone: 'Europe/Paris' }], ...keys });
const every = (interval: string, keys: Record<string, unknown> = {}): ResolvedActivation =>
  activation('often', { schedule: [{ every: interval }], ...keys });

/** The days around which one of the clocks changes, and two ends of months. */
const SPANS: readonly [from: string, to: string][] = [
  ['2026-01-28T00:00:00Z', '2026-02-02T23:59:00Z'],
  ['2026-03-06T00:00:00Z', '2026-03-10T23:59:00Z'],
  ['2026-03-27T00:00:00Z', '2026-04-07T23:59:00Z'],
  ['2026-10-02T00:00:00Z', '2026-10-06T23:59:00Z'],
  ['2026-10-23T00:00:00Z', '2026-11-03T23:59:00Z'],
  ['2026-12-28T00:00:00Z', '2027-01-01T23:59:00Z'],
];

test('schedules in three zones are made as the clocks on the wall have it, while these change and while they do not', async () => {
  const zones = ['Europe/Paris', 'America/New_York', 'Australia/Lord_Howe'];
  const crons = ['30 2 * * *', '15,45 1,2 * * sun', '0 */6 1,29 * *'];
  const activations = zones.flatMap((timezone, zone) =>
    crons.map((cron, index) => activation(`a${zone}-${index}`, { schedule: [{ cron, timezone }] })),
  );
  let runs = 0;
  for (const [from, to] of SPANS) {
    const world = new World(from);
    await world.schedule(...activations);
    await world.clock.passUntil(to);
    for (const [zone, timezone] of zones.entries()) {
      const clock = wallClock(timezone, from, to);
      for (const [index, cron] of crons.entries()) {
        const made = world.target.asked.filter(asked => asked.activation === `a${zone}-${index}`);
        const expected = dueInstants(cron, clock)
          .filter(instant => instant > Date.parse(from))
          .map(instant => new Date(instant).toISOString());
        runs += made.length;
        assert.deepEqual(
          made.map(({ at }) => at),
          expected,
          `${cron} in ${timezone}`,
        );
        assert.deepEqual(
          made.map(({ dueAt }) => dueAt),
          expected,
        );
      }
    }
    world.scheduler.stop();
  }
  assert.ok(runs > 300, `only ${runs} were looked at`);
});

test('a new schedule misses nothing, and an interval begins with a whole one', async () => {
  const world = new World('2026-06-01T08:00:00Z');
  await world.schedule(daily(), every('15m'));
  assert.deepEqual(world.target.asked, []);
  assert.equal(world.scheduler.nextRunAt('daily')?.toISOString(), '2026-06-02T05:00:00.000Z');
  assert.equal(world.scheduler.nextRunAt('often')?.toISOString(), '2026-06-01T08:15:00.000Z');
  assert.equal(world.scheduler.nextRunAt('unknown'), undefined);
  await world.clock.pass(46 * MINUTE);
  assert.deepEqual(world.target.times, [
    '2026-06-01T08:15:00.000Z',
    '2026-06-01T08:30:00.000Z',
    '2026-06-01T08:45:00.000Z',
  ]);
});

test('runs missed while the daemon was down are one run at its start, due at the last of them', async () => {
  const world = new World('2026-06-01T04:00:00Z');
  await world.schedule(daily());
  await world.clock.pass(2 * HOUR);
  assert.deepEqual(world.target.times, ['2026-06-01T05:00:00.000Z']);
  await world.restart(4 * 24 * HOUR, daily());
  assert.deepEqual(world.target.asked.slice(1), [
    { activation: 'daily', dueAt: '2026-06-05T05:00:00.000Z', at: '2026-06-05T06:00:00.000Z' },
  ]);
  await world.restart(HOUR, daily());
  await world.clock.pass(12 * HOUR);
  assert.equal(world.target.asked.length, 2);
});

test('an interval that was missed begins again with the run that makes up for it', async () => {
  const world = new World('2026-06-01T00:00:00Z');
  await world.schedule(every('1h'));
  await world.restart(5.5 * HOUR, every('1h'));
  await world.clock.pass(2 * HOUR);
  assert.deepEqual(world.target.times, [
    '2026-06-01T05:30:00.000Z',
    '2026-06-01T06:30:00.000Z',
    '2026-06-01T07:30:00.000Z',
  ]);
});

test('a run that was accepted before the daemon was killed is asked for with the same due instant', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  await world.schedule(daily());
  // Killed after the run was accepted, and before that was noted.
  world.documents.beforeWrite = () => new Promise(() => {});
  await world.clock.pass(HOUR);
  world.documents.beforeWrite = () => {};
  await world.restart(HOUR, daily());
  assert.deepEqual(
    world.target.asked.map(({ dueAt }) => dueAt),
    ['2026-06-01T05:00:00.000Z', '2026-06-01T05:00:00.000Z'],
  );
});

test('a schedule that is changed is a new one, and one that is not keeps what it missed', async () => {
  const world = new World('2026-06-01T04:00:00Z');
  await world.schedule(daily());
  const changed = daily({ schedule: [{ cron: '30 6 * * *', timezone: 'Europe/Paris' }] });
  await world.restart(24 * HOUR, changed);
  assert.deepEqual(world.target.asked, []);
  // Another spelling is no other schedule.
  const respelt = daily({ schedule: [{ cron: '30  6 *  * *', timezone: 'Europe/Paris' }], overlap: 'queue' });
  await world.restart(3 * HOUR, respelt);
  assert.equal(world.target.asked.length, 1);
});

test('loading the configuration again keeps the beat, and ends what is gone', async () => {
  const world = new World('2026-06-01T00:00:00Z');
  await world.schedule(every('1h'), daily());
  await world.clock.pass(30 * MINUTE);
  await world.schedule(every('1h'));
  assert.equal(world.scheduler.nextRunAt('daily'), undefined);
  await world.clock.pass(24 * HOUR);
  assert.equal(world.target.times[0], '2026-06-01T01:00:00.000Z');
  assert.equal(world.target.asked.length, 24);
  assert.ok(world.target.asked.every(({ activation: name }) => name === 'often'));
  assert.ok(!world.documents.texts.get(SCHEDULES_DOCUMENT)?.includes('daily'));
  // What comes back is new: nothing of the time in between was missed.
  await world.schedule(every('1h'), daily());
  assert.ok(world.target.asked.every(({ activation: name }) => name === 'often'));
});

test('entries of one activation that are due together make one run', async () => {
  const world = new World('2026-06-01T05:30:00Z');
  const both = activation('both', {
    schedule: [{ cron: '0 * * * *' }, { every: '15m' }, { cron: '*/30 * * * *' }],
  });
  await world.schedule(both);
  await world.clock.pass(HOUR);
  assert.deepEqual(world.target.times, [
    '2026-06-01T05:45:00.000Z',
    '2026-06-01T06:00:00.000Z',
    '2026-06-01T06:15:00.000Z',
    '2026-06-01T06:30:00.000Z',
  ]);
});

test('a run for several entries that were missed is due at the last of them', async () => {
  const entries = [{ cron: '30 7 * * *' }, { cron: '0 6 * * *' }, { every: '5h' }];
  for (const schedule of [entries, entries.toReversed()]) {
    const world = new World('2026-06-01T03:30:00Z');
    const both = activation('both', { schedule });
    await world.schedule(both);
    await world.restart(5 * HOUR + 10 * MINUTE, both);
    assert.deepEqual(
      world.target.asked.map(({ dueAt }) => dueAt),
      ['2026-06-01T08:30:00.000Z'],
    );
    await world.restart(23 * HOUR + MINUTE, both);
    assert.equal(world.target.asked[1]?.dueAt, '2026-06-02T07:30:00.000Z');
  }
});

test('with overlap skip a run is left out while another is under way, and not made up for', async () => {
  const world = new World('2026-06-01T00:00:00Z');
  await world.schedule(every('1h'));
  world.target.busy.add('often');
  await world.clock.pass(90 * MINUTE);
  assert.deepEqual(world.target.asked, []);
  assert.deepEqual(world.log.messages('info'), [
    'a scheduled run is left out: another run is under way or waits',
  ]);
  world.target.busy.delete('often');
  await world.restart(0, every('1h'));
  assert.deepEqual(world.target.asked, []);
  await world.clock.pass(HOUR);
  assert.deepEqual(world.target.times, ['2026-06-01T02:00:00.000Z']);
});

test('with overlap queue one scheduled run waits, and no second one', async () => {
  const world = new World('2026-06-01T00:00:00Z');
  await world.schedule(every('1h', { overlap: 'queue' }));
  world.target.busy.add('often');
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 1);
  world.target.waiting.add('often');
  await world.clock.pass(2 * HOUR);
  assert.equal(world.target.asked.length, 1);
  world.target.waiting.delete('often');
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 2);
});

test('a paused activation does not run, tells no next run, and is not made up for', async () => {
  const world = new World('2026-06-01T00:00:00Z');
  await world.schedule(daily(), every('1h'));
  world.target.paused.add('daily');
  assert.equal(world.scheduler.nextRunAt('daily'), undefined);
  await world.clock.pass(12 * HOUR);
  world.target.paused.delete('daily');
  await world.restart(MINUTE, daily(), every('1h'));
  assert.equal(world.target.asked.filter(({ activation: name }) => name === 'often').length, 12);
  assert.equal(world.target.asked.filter(({ activation: name }) => name === 'daily').length, 0);
  assert.equal(world.scheduler.nextRunAt('daily')?.toISOString(), '2026-06-02T05:00:00.000Z');
});

test('the next instants of all entries are told in order, and what was left out with its reason', async () => {
  const world = new World('2026-04-14T06:30:00Z');
  const both = { schedule: [{ cron: '0 7 * * *', timezone: 'UTC' }, { every: '12h' }] };
  await world.schedule(activation('both', both), activation('never'));
  world.target.paused.add('both');
  const upcoming = () => world.scheduler.upcoming('both', 4).map(at => at.toISOString().slice(8, 16));
  assert.deepEqual(upcoming(), ['14T07:00', '14T18:30', '15T06:30', '15T07:00']);
  assert.deepEqual(world.scheduler.upcoming('never', 4), []);
  assert.deepEqual(world.scheduler.leftOut('both'), []);
  await world.clock.passUntil('2026-04-14T07:00:00Z');
  assert.deepEqual(world.scheduler.leftOut('both'), [
    { dueAt: '2026-04-14T07:00:00.000Z', reason: 'the activation is paused' },
  ]);
});

test('a machine that slept makes one run as soon as it wakes', async () => {
  const world = new World('2026-06-01T04:00:00Z');
  await world.schedule(daily(), every('1h'));
  world.clock.sleep(50 * HOUR);
  await world.clock.pass(MINUTE);
  assert.deepEqual(
    world.target.asked.map(({ activation: name, dueAt }) => `${name} ${dueAt}`),
    ['daily 2026-06-03T05:00:00.000Z', 'often 2026-06-03T06:00:00.000Z'],
  );
  assert.ok(Date.parse(world.target.times[0]!) - Date.parse('2026-06-03T06:00:00Z') <= 30_000);
});

test('a clock that is set forward makes one run, and put right again it repeats none', async () => {
  const world = new World('2026-06-01T04:58:00Z');
  await world.schedule(daily());
  world.clock.set('2026-06-01T05:20:00Z');
  await world.clock.pass(MINUTE);
  assert.equal(world.target.asked.length, 1);
  world.clock.set('2026-06-01T04:59:00Z');
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 1);
  await world.clock.passUntil('2026-06-02T05:00:01Z');
  assert.equal(world.target.times.at(-1), '2026-06-02T05:00:00.000Z');
});

test('a clock that was years ahead holds up no schedule once it is put right', async () => {
  const world = new World('2030-01-01T00:00:00Z');
  await world.schedule(daily(), every('1h'));
  await world.clock.pass(7 * HOUR);
  world.clock.set('2026-06-01T04:30:00Z');
  const before = world.target.asked.length;
  await world.clock.pass(HOUR + MINUTE);
  // That the clock was set is noticed within half a minute; the interval begins there.
  assert.deepEqual(
    world.target.times.slice(before).map(time => time.slice(0, 16)),
    ['2026-06-01T05:00', '2026-06-01T05:30'],
  );
  // Also when it is put right while the daemon is down.
  world.clock.set('2031-01-01T00:00:00Z');
  await world.clock.pass(MINUTE);
  world.scheduler.stop();
  world.clock.set('2026-06-02T04:30:00Z');
  const known = world.target.asked.length;
  await world.restart(0, daily(), every('1h'));
  await world.clock.pass(HOUR);
  assert.deepEqual(world.target.times.slice(known), ['2026-06-02T05:00:00.000Z', '2026-06-02T05:30:00.000Z']);
});

test('an instant that comes again since the clock was days ahead has a run of its own', async () => {
  const world = new World('2026-06-01T04:58:00Z');
  await world.schedule(daily());
  await world.clock.pass(49 * HOUR);
  world.clock.set('2026-06-01T04:30:00Z');
  await world.clock.pass(HOUR);
  assert.deepEqual(
    world.target.asked.map(({ dueAt }) => dueAt.slice(0, 10)),
    ['2026-06-01', '2026-06-02', '2026-06-03', '2026-06-01'],
  );
  assert.equal(new Set(world.target.keys).size, 4, 'the run of then would be the answer, and none be made');
  // After a crash before it was noted that the next one was accepted, it is asked for
  // with the same key.
  world.documents.beforeWrite = () => {
    throw new Error('killed');
  };
  await world.clock.passUntil('2026-06-02T05:00:01Z');
  world.documents.beforeWrite = () => {};
  await world.restart(0, daily());
  assert.equal(world.target.asked.length, 6);
  assert.equal(world.target.keys[5], world.target.keys[4]);
});

test('a timer that fires early begins nothing early', async () => {
  const world = new World('2026-06-01T04:59:00Z');
  await world.schedule(daily());
  // The wall clock is put back a little while the timer runs.
  world.clock.sleep(-5);
  await world.clock.pass(2 * MINUTE);
  assert.deepEqual(world.target.times, ['2026-06-01T05:00:00.000Z']);
});

test('a schedule that is due in months sets no timer that is longer than a timer can be', async () => {
  const world = new World('2026-01-02T00:00:00Z');
  await world.schedule(activation('yearly', { schedule: [{ cron: '0 0 1 1 *' }, { every: '180d' }] }));
  const due = ['2026-07-01T00:00:00.000Z', '2026-12-28T00:00:00.000Z', '2027-01-01T00:00:00.000Z'];
  for (const [index, instant] of due.entries()) {
    // Timers go on for an hour, the clock on the wall goes to two minutes before.
    await world.clock.pass(HOUR);
    world.clock.set(new Date(Date.parse(instant) - 2 * MINUTE).toISOString());
    await world.clock.pass(HOUR);
    assert.deepEqual(world.target.times, due.slice(0, index + 1));
  }
});

test('a run that is not accepted for a reason that may pass is asked for again, once it is accepted no more', async () => {
  const world = new World('2026-06-01T04:59:00Z');
  await world.schedule(daily());
  world.target.answer = async () => {
    throw new SluiceError('STATE_WRITE_FAILED', 'no space left');
  };
  await world.clock.pass(MINUTE + 25_000);
  assert.deepEqual(
    world.target.asked.map(({ dueAt, at }) => `${dueAt} ${at}`),
    ['00', '10', '20'].map(second => `2026-06-01T05:00:00.000Z 2026-06-01T05:00:${second}.000Z`),
  );
  world.target.answer = async () => {};
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 4);
});

test('a run that is to be asked for again is not held up by a clock that is set back meanwhile', async () => {
  const world = new World('2026-06-01T04:50:00Z');
  await world.schedule(every('10m'));
  world.target.answer = async () => {
    throw new SluiceError('STATE_WRITE_FAILED', 'no space left');
  };
  await world.clock.pass(10 * MINUTE);
  world.target.answer = async () => {};
  world.clock.set('2026-06-01T04:00:00Z');
  await world.clock.pass(11 * MINUTE);
  assert.deepEqual(
    world.target.times.map(time => time.slice(0, 16)),
    ['2026-06-01T05:00', '2026-06-01T04:10'],
  );
});

test('a run that is not accepted for a reason that nobody foresaw is asked for again', async () => {
  const world = new World('2026-06-01T04:59:00Z');
  await world.schedule(daily());
  world.target.answer = async () => {
    throw new TypeError('a defect');
  };
  await world.clock.pass(MINUTE);
  world.target.answer = async () => {};
  await world.clock.pass(HOUR);
  assert.deepEqual(world.target.times, ['2026-06-01T05:00:00.000Z', '2026-06-01T05:00:10.000Z']);
  assert.deepEqual(world.log.messages('warn'), ['a scheduled run was not accepted and is asked for again']);
});

test('a run that is refused for good is not asked for again', async () => {
  const world = new World('2026-06-01T04:59:00Z');
  await world.schedule(daily());
  world.target.answer = async () => {
    throw new SluiceError('ACTIVATION_PAUSED', 'paused just now');
  };
  await world.restart(2 * HOUR, daily());
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 1);
  assert.deepEqual(world.log.messages('error'), ['a scheduled run was refused']);
});

test('a run that is asked for while the daemon ends is made at the next start', async () => {
  const world = new World('2026-06-01T04:59:00Z');
  await world.schedule(daily());
  world.target.answer = async () => {
    throw new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
  };
  await world.clock.pass(MINUTE + 1000);
  world.target.answer = async () => {};
  await world.restart(HOUR, daily());
  assert.equal(world.target.asked.length, 2);
  assert.equal(world.target.asked[1]?.dueAt, '2026-06-01T05:00:00.000Z');
});

test('one activation that is slow to be accepted holds up no other, and is not asked for twice', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  await world.schedule(every('10m'), daily());
  let accept = (): void => {};
  world.target.answer = () => new Promise(resolve => (accept = resolve));
  await world.clock.pass(25 * MINUTE);
  assert.equal(world.target.asked.length, 1);
  world.target.answer = async () => {};
  await world.clock.pass(6 * MINUTE);
  assert.deepEqual(
    world.target.asked.map(({ activation: name }) => name),
    ['often', 'daily'],
  );
  accept();
  await world.clock.pass(MINUTE);
  assert.equal(world.target.asked.at(-1)?.activation, 'often');
  assert.equal(world.target.asked.at(-1)?.dueAt, '2026-06-01T05:00:00.000Z');
});

test('damaged notes of schedules are said, and keep nothing from running', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  for (const text of [
    '{',
    '{"version":2}',
    '{"version":1}',
    '{"version":1,"attended":{"daily":null}}',
    '{"version":1,"attended":{"daily":{"cron 0 7 * * * Europe/Paris":"x"}}}',
  ]) {
    world.documents.texts.set(SCHEDULES_DOCUMENT, text);
    await world.restart(0, daily());
  }
  assert.equal(world.log.messages('error').length, 4);
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 1);
});

test('notes that cannot be written are said, and keep nothing from running', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  world.documents.beforeWrite = () => {
    throw new SluiceError('STATE_WRITE_FAILED', 'no space left');
  };
  await world.schedule(every('10m'));
  await world.clock.pass(HOUR);
  assert.equal(world.target.asked.length, 6);
  assert.ok(world.log.messages('error').every(message => message.includes('cannot be kept')));
  world.documents.beforeWrite = () => {};
  await world.restart(9 * MINUTE, every('10m'));
  assert.equal(world.target.asked.length, 6);
});

test('a stopped scheduler does nothing more', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  await world.schedule(every('10m'));
  world.scheduler.stop();
  assert.equal(world.clock.waiting, 0);
  await world.clock.pass(HOUR);
  assert.deepEqual(world.target.asked, []);
});

test('a scheduler that is stopped while a run is asked for sets no timer when the answer comes', async () => {
  for (const outcome of ['accepted', 'not accepted'] as const) {
    const world = new World('2026-06-01T04:30:00Z');
    await world.schedule(every('10m'));
    let answer = (): void => {};
    world.target.answer = () =>
      new Promise((resolve, reject) => {
        answer = outcome === 'accepted' ? resolve : () => reject(new Error('ended'));
      });
    await world.clock.pass(10 * MINUTE);
    world.scheduler.stop();
    answer();
    await settled();
    assert.equal(world.clock.waiting, 0, outcome);
  }
});

test('a run that is accepted while the configuration is loaded again is not asked for once more', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  await world.schedule(every('10m'));
  let accept = (): void => {};
  world.target.answer = () => new Promise(resolve => (accept = resolve));
  await world.clock.pass(10 * MINUTE);
  await world.schedule(every('10m'), daily());
  world.target.answer = async () => {};
  accept();
  await settled();
  assert.equal(world.scheduler.nextRunAt('often')?.toISOString(), '2026-06-01T04:50:00.000Z');
  assert.equal(world.target.asked.length, 1);
  const { attended } = JSON.parse(world.documents.texts.get(SCHEDULES_DOCUMENT)!);
  assert.deepEqual(attended.often, { 'every 600000': '2026-06-01T04:40:00.000Z' });
});

test('notes of schedules are written when they change, and at no other time', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  await world.schedule(every('10m'));
  assert.equal(world.documents.writes, 1);
  await world.schedule(every('10m'));
  await world.clock.pass(9 * MINUTE);
  assert.equal(world.documents.writes, 1);
  await world.clock.pass(MINUTE);
  assert.equal(world.documents.writes, 2);
  // What could not be written is written with the next change, and by a scheduler that is
  // loaded again.
  world.documents.beforeWrite = () => {
    throw new SluiceError('STATE_WRITE_FAILED', 'no space left');
  };
  await world.clock.pass(10 * MINUTE);
  world.documents.beforeWrite = () => {};
  await world.schedule(every('10m'));
  assert.match(world.documents.texts.get(SCHEDULES_DOCUMENT)!, /2026-06-01T04:50:00/);
});

test('a schedule that is never due is said when it is loaded', async () => {
  const world = new World('2026-06-01T04:30:00Z');
  await world.schedule(activation('never', { schedule: [{ cron: '0 0 30 2 *' }] }));
  assert.equal(world.scheduler.nextRunAt('never'), undefined);
  assert.deepEqual(world.log.messages('warn'), ['a schedule is never due']);
});
