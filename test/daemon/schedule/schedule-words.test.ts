import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scheduleText, scheduleWords } from '../../../src/daemon/schedule/schedule-words.ts';

const CRONS: Readonly<Record<string, string>> = {
  '0 7 * * *': 'at 07:00 every day (UTC)',
  '5 6,18 * * 1-5': 'at 06:05 and 18:05 from Monday to Friday (UTC)',
  '30 4 * * sun,WED': 'at 04:30 every Sunday and Wednesday (UTC)',
  '0 0 1 * *': 'at 00:00 on day 1 of each month (UTC)',
  '*/15 * * * *': 'every 15 minutes (UTC)',
  '20 * * * mon-fri': 'every hour at minute 20 from Monday to Friday (UTC)',
  '* * * * *': 'every minute (UTC)',
};

test('common schedules are said in words', () => {
  for (const [cron, words] of Object.entries(CRONS))
    assert.equal(scheduleWords({ cron, timezone: 'UTC' }), words, cron);
  assert.equal(scheduleWords({ everyMs: 900_000 }), 'every 15 minutes');
  assert.equal(scheduleWords({ everyMs: 86_400_000 }), 'every day');
  assert.equal(scheduleWords({ everyMs: 90_000 }), 'every 90 seconds');
});

test('no words are made up for what they would not say right', () => {
  for (const cron of [
    '*/7 * * * *',
    '0 7 1 * mon',
    '0 7 * 2 *',
    '0 9-17 * * *',
    '0 7 * * 1-3',
    '5/10 1 * * *',
  ])
    assert.equal(scheduleWords({ cron, timezone: 'UTC' }), `by the cron expression ${cron} (UTC)`);
});

test('an entry is shown as it is configured', () => {
  assert.equal(
    scheduleText({ cron: '0 7 * * *', timezone: 'Europe/Paris' }),
    'cron "0 7 * * *" Europe/Paris',
  );
  assert.equal(scheduleText({ everyMs: 3_600_000 }), 'every hour');
});
