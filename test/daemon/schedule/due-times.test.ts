import assert from 'node:assert/strict';
import test from 'node:test';
import { Cron } from 'croner';
import fc from 'fast-check';
import { cronFault } from '../../../src/config/schema/cron.ts';
import { dueTimes } from '../../../src/daemon/schedule/due-times.ts';
import { someOf } from '../../support/all-cases.ts';
import { dueInstants, type WallClock, wallClock } from './wall-clock-oracle.ts';

/** Zones, and for each the days around which its clocks change in 2026. */
const ZONES: Readonly<Record<string, readonly string[]>> = {
  'Europe/Paris': ['2026-03-29', '2026-10-25'],
  'America/New_York': ['2026-03-08', '2026-11-01'],
  // Half an hour off the others, and its summer time is half an hour.
  'Australia/Lord_Howe': ['2026-04-05', '2026-10-04'],
  'America/St_Johns': ['2026-03-08', '2026-11-01'],
};

const clocks = new Map<string, WallClock>();
function yearOf(timezone: string): WallClock {
  const made = clocks.get(timezone) ?? wallClock(timezone, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z');
  clocks.set(timezone, made);
  return made;
}

function around(timezone: string, day: string): WallClock {
  const year = yearOf(timezone);
  const from = Date.parse(`${day}T00:00:00Z`) - 2 * 86_400_000;
  const index = (from - year.from) / 60_000;
  return { from, shows: year.shows.subarray(index, index + 4 * 1440) };
}

/** What `nextAfter` gives, one after the other. */
function enumerated(cron: string, timezone: string, from: number, to: number): number[] {
  const times = dueTimes({ cron, timezone });
  const found: number[] = [];
  let next = times.nextAfter(new Date(from - 1000));
  while (next !== undefined && next.getTime() < to) {
    found.push(next.getTime());
    next = times.nextAfter(next);
  }
  return found;
}

function assertDue(cron: string, timezone: string, clock: WallClock): void {
  const expected = dueInstants(cron, clock);
  const to = clock.from + clock.shows.length * 60_000;
  const shown = (instants: number[]): string[] => instants.map(instant => new Date(instant).toISOString());
  assert.deepEqual(
    shown(enumerated(cron, timezone, clock.from, to)),
    shown(expected),
    `${cron} in ${timezone}`,
  );
}

const DAILY = [
  '30 2 * * *',
  '0 2 * * *',
  '59 1 * * *',
  '0 3 * * *',
  '15,45 1,2 * * *',
  '0 0 1 * *',
  '30 2 29 3 *',
  '30 1 25 oct sun',
  '0 7 * * mon-fri',
  '0 12 13 * 5',
  '0 6 * * 7',
];

for (const timezone of Object.keys(ZONES)) {
  test(`a whole year in ${timezone} is as the clock on the wall has it`, () => {
    for (const cron of DAILY) assertDue(cron, timezone, yearOf(timezone));
  });
}

const FREQUENT = [
  '* * * * *',
  '*/5 * * * *',
  '7 * * * *',
  '*/20 2 * * *',
  '0-30/10 1-3 * * *',
  '*/30 */2 * * *',
];

for (const [timezone, changes] of Object.entries(ZONES)) {
  test(`frequent schedules follow the clock on the wall through its changes in ${timezone}`, () => {
    for (const day of changes) for (const cron of FREQUENT) assertDue(cron, timezone, around(timezone, day));
  });
}

const field = (min: number, max: number, maxStep = 7): fc.Arbitrary<string> => {
  const value = fc.integer({ min, max });
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const item = fc.oneof(
    { weight: 3, arbitrary: value.map(String) },
    { weight: 1, arbitrary: range },
    {
      weight: 1,
      arbitrary: fc
        .tuple(range, fc.integer({ min: 1, max: maxStep }))
        .map(([text, step]) => `${text}/${step}`),
    },
  );
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant('*') },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: maxStep }).map(step => `*/${step}`) },
    { weight: 4, arbitrary: fc.array(item, { minLength: 1, maxLength: 3 }).map(items => items.join(',')) },
  );
};
const expression = fc
  .tuple(field(0, 59), field(0, 4), field(1, 31), field(1, 12), field(0, 7))
  .map(fields => fields.join(' '));

test('any expression is due when the clock on the wall says so, around every change of it', () => {
  const zone = fc.constantFrom(
    ...Object.entries(ZONES).flatMap(([zone, days]) => days.map(day => [zone, day] as const)),
  );
  fc.assert(
    fc.property(expression, zone, (cron, [timezone, day]) =>
      assertDue(cron, timezone, around(timezone, day)),
    ),
    { numRuns: someOf(150) },
  );
});

test('the latest due instant is the last one that is not after now', () => {
  for (const [timezone, changes] of Object.entries(ZONES)) {
    for (const day of changes) {
      for (const cron of ['30 2 * * *', '15,45 1,2 * * *', '7 * * * *']) {
        const clock = around(timezone, day);
        const due = dueInstants(cron, clock);
        const times = dueTimes({ cron, timezone });
        for (let now = due[0]!; now < clock.from + clock.shows.length * 60_000; now += 17 * 60_000 + 250) {
          const expected = due.findLast(instant => instant <= now)!;
          const found = times.latest(new Date(clock.from - 1), new Date(now));
          assert.equal(found.toISOString(), new Date(expected).toISOString(), `${cron} in ${timezone}`);
        }
      }
    }
  }
});

test('a day that does not exist is never due, and 29 February waits for its year', () => {
  assert.equal(
    dueTimes({ cron: '0 0 30 2 *', timezone: 'UTC' }).nextAfter(new Date('2026-01-01')),
    undefined,
  );
  const leap = dueTimes({ cron: '0 0 29 2 *', timezone: 'UTC' }).nextAfter(new Date('2026-03-01'));
  assert.equal(leap?.toISOString(), '2028-02-29T00:00:00.000Z');
});

function takenByCroner(text: string): boolean {
  try {
    new Cron(text, { paused: true, mode: '5-part' });
    return true;
  } catch {
    return false;
  }
}

/** What croner knows beyond crontab(5): the configuration refuses it. */
const BEYOND_CRONTAB = /[?LW#+@]/i;

test('the configuration and the scheduler take the same expressions', () => {
  const valid = fc
    .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
    .map(f => f.join(' '));
  const piece = fc.constantFrom(
    ...['*', '/', '-', ',', '0', '1', '7', '8', '12', '23', '24', '31', '32', '59', '60', '100', '05', '007'],
    ...[
      'sun',
      'MON',
      'jan',
      'Dec',
      'x',
      '',
      '*/5',
      '1-5',
      '5-1',
      '10-20/3',
      '3/5',
      '*/0',
      '*/99',
      '-1',
      '1.5',
    ],
  );
  const odd = fc
    .array(
      fc.array(piece, { minLength: 1, maxLength: 4 }).map(pieces => pieces.join('')),
      { minLength: 4, maxLength: 6 },
    )
    .map(fields => fields.join(' '));
  const text = fc.oneof(valid, odd).filter(candidate => !BEYOND_CRONTAB.test(candidate));
  fc.assert(
    fc.property(text, candidate =>
      assert.equal(cronFault(candidate) === undefined, takenByCroner(candidate), JSON.stringify(candidate)),
    ),
    { numRuns: someOf(5000) },
  );
});

test('an interval counts time that passes, whatever clocks on the wall do', () => {
  const times = dueTimes({ everyMs: 86_400_000 });
  const before = new Date('2026-03-28T12:00:00Z');
  assert.equal(times.nextAfter(before)?.toISOString(), '2026-03-29T12:00:00.000Z');
  const found = times.latest(before, new Date('2026-04-02T11:00:00Z'));
  assert.equal(found.toISOString(), '2026-04-01T12:00:00.000Z');
});
