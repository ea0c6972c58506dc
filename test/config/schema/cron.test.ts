import assert from 'node:assert/strict';
import test from 'node:test';
import { cronFault, isNeverDue } from '../../../src/config/schema/cron.ts';
import { problems, yaml } from '../support.ts';

test('takes cron expressions of five fields', () => {
  for (const text of [
    '0 7 * * *',
    '*/15 * * * *',
    '0 0 1,15 jan-mar MON-FRI',
    '0-30/10 8-18 * * 7',
    '0 0 * * 5-7',
  ])
    assert.equal(cronFault(text), undefined, text);
});

test('gives the field, the reason and the way out for every other spelling', () => {
  const refused: Readonly<Record<string, RegExp>> = {
    '': /^it has no fields; they are minute, hour, day of month, month, day of week$/,
    '* * * *': /^it has 4 fields; they are minute/,
    '0 0 7 * * *': /^it has 6 fields, and seconds .* without them it is "0 7 \* \* \*"$/,
    '@daily': /^@daily is written "0 0 \* \* \*"$/,
    '@Hourly': /^@hourly is written "0 \* \* \* \*"$/,
    '@every 15m': /\{ every: 15m \}/,
    '@reboot': /start with @ are not supported/,
    'CRON_TZ=Europe/Paris 0 7 * * *': /\{ cron: "0 7 \* \* \*", timezone: Europe\/Paris \}/,
    'TZ=UTC 0 7 * * *': /timezone: UTC/,
    '60 * * * *': /^the minute is "60", and "60" is not a number from 0 to 59$/,
    '0 24 * * *': /^the hour is "24", and "24" is not a number from 0 to 23$/,
    '* * 0 * *': /^the day of month is "0", .* from 1 to 31$/,
    '0 0 1 13 *': /^the month is "13", .* or one of jan feb/,
    '0 0 * * 8': /^the day of week is "8", and "8" is not a number from 0 to 7 or one of sun mon/,
    '0 0 L * *': /^the day of month is "L", .* last day.*"0 0 1 \* \*".*timestampOffset/,
    '0 0 * * 5L': /^the day of week is "5L", and "L"/,
    '0 0 * * MON#1': /^the day of week is "MON#1", and "#".* each week/,
    '0 0 15W * *': /^the day of month is "15W", and "W"/,
    '0 0 ? * *': /^the day of month is "\?", and "\?" is not supported; write "\*"$/,
    'H 0 * * *': /^the minute is "H", and "H" .* write a number from 0 to 59$/,
    'H/15 * * * *': /^the minute is "H\/15", and "H"/,
    '0/15 * * * *': /^the minute is "0\/15", and a step needs a range; write "\*\/15"$/,
    '5/15 * * * *': /write "5-59\/15"$/,
    '0 0 * * fri-mon': /^the day of week is "fri-mon", and a range must go up; write "fri-sat,sun-mon"$/,
    '0 22-2/2 * * *': /write "22-23\/2,0-2\/2"$/,
    '*/0 * * * *': /^the minute is "\*\/0", and the step "0" is not a whole number from 1 to 60$/,
    '*/61 * * * *': /the step "61"/,
    '0 0 * * */8': /^the day of week .* from 1 to 7$/,
    '0 0 1,,2 * *': /an entry of the list is empty/,
    '1-2-3 * * * *': /"1-2-3" is not a range such as 0-59/,
    '0 0 * * monday': /"monday" is written "mon"/,
  };
  for (const [text, reason] of Object.entries(refused))
    assert.match(cronFault(text) ?? 'accepted', reason, text);
});

test('the problem of the configuration holds the reason, unless the expression came from a reference', () => {
  const [problem] = problems(yaml({ schedule: [{ cron: '0 0 L * *' }] }));
  assert.match(
    problem ?? '',
    /^activations\.export\.schedule\[0\]\.cron is "0 0 L \* \*"; expected a cron expression of five fields, such as "0 7 \* \* \*": the day of month is "L"/,
  );
  const [hidden] = problems(yaml({ schedule: [{ cron: `\${WHEN}` }] }), { WHEN: '@secret-word' });
  assert.match(
    hidden ?? '',
    /is \(hidden\); expected a cron expression of five fields, such as "0 7 \* \* \*"$/,
  );
});

test('knows expressions that are never due', () => {
  for (const text of [
    '0 0 30 2 *',
    '0 0 31 4,6 *',
    '0 0 31 apr-apr *',
    '0 0 30-31 feb *',
    ' 0  0 31 9,11 * ',
  ])
    assert.ok(isNeverDue(text), text);
  for (const text of [
    '0 0 29 2 *',
    '0 0 31 4,5 *',
    '0 0 30 2 mon',
    '0 0 * 2 *',
    '0 0 30,1 2 *',
    '0 0 */30 2 *',
  ])
    assert.ok(!isNeverDue(text), text);
});
