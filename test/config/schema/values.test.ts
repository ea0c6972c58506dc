import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  parseDuration,
  parsePercent,
  parseSignedDuration,
  parseSize,
} from '../../../src/config/schema/values.ts';

test('reads sizes with decimal, binary and no units', () => {
  assert.equal(parseSize('1GiB'), 2 ** 30);
  assert.equal(parseSize('500MB'), 500_000_000);
  assert.equal(parseSize('1.5 KiB'), 1536);
  assert.equal(parseSize('1048576'), 1_048_576);
  assert.equal(parseSize('0.1KiB'), 102);
});

test('refuses what is no size', () => {
  for (const text of [
    '',
    'GiB',
    '-1MB',
    '1gib',
    '1 bananas',
    '1e3',
    '0x10',
    '1..5MB',
    '9999999TiB',
    '1,5MB',
  ]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

test('a size is exact and whole for every number and unit', () => {
  const units = {
    B: 1n,
    KB: 1000n,
    MB: 1000n ** 2n,
    GB: 1000n ** 3n,
    KiB: 1024n,
    MiB: 1024n ** 2n,
    GiB: 1024n ** 3n,
  };
  const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]));
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(999), unit, (whole, thousandths, name) => {
      const text = `${whole}.${String(thousandths).padStart(3, '0')}${name}`;
      const expected = ((BigInt(whole) * 1000n + BigInt(thousandths)) * units[name]) / 1000n;
      assert.equal(parseSize(text), Number(expected));
    }),
  );
});

test('reads durations, with 0 alone without a unit', () => {
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('15m'), 900_000);
  assert.equal(parseDuration('7d'), 604_800_000);
  assert.equal(parseDuration('1.5h'), 5_400_000);
  assert.equal(parseDuration('0'), 0);
  for (const text of ['15', '', 'm', '-1m', '1 year', '1M'])
    assert.equal(parseDuration(text), undefined, text);
});

test('a signed duration is the duration with its sign', () => {
  assert.equal(parseSignedDuration('-1d'), -86_400_000);
  assert.equal(parseSignedDuration('+2h'), 7_200_000);
  assert.ok(Object.is(parseSignedDuration('-0s'), 0));
  assert.equal(parseSignedDuration('--1d'), undefined);
});

test('a percent becomes a ratio', () => {
  assert.equal(parsePercent('20%'), 0.2);
  assert.equal(parsePercent('12.5 %'), 0.125);
  for (const text of ['20', '-1%', '%']) assert.equal(parsePercent(text), undefined, text);
});
