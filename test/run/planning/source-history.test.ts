import assert from 'node:assert/strict';
import test from 'node:test';
import { compareHistory, positionToKeep } from '../../../src/run/planning/source-history.ts';
import type { SourcePosition } from '../../../src/sources/source.ts';

const BASELINE: SourcePosition = { system: '71', timeline: 2, position: '16/B374D848' };

const RULES: readonly (readonly [
  what: string,
  now: SourcePosition | undefined,
  verdict: string | undefined,
])[] = [
  ['the same place', BASELINE, undefined],
  ['further on', { ...BASELINE, position: '16/B374D849' }, undefined],
  ['further on by the higher word, with smaller digits', { ...BASELINE, position: '17/0' }, undefined],
  ['a longer number is not larger by its first digit', { ...BASELINE, position: '9/FFFFFFFF' }, 'moved'],
  ['one byte behind', { ...BASELINE, position: '16/B374D847' }, 'moved'],
  ['another server, further on', { system: '72', timeline: 2, position: 'FF/0' }, 'moved'],
  ['another server that shows no more', { system: '72' }, 'moved'],
  ['a failover', { ...BASELINE, timeline: 3 }, 'failedOver'],
  ['a failover to a server that had lagged behind', { ...BASELINE, timeline: 3, position: '16/0' }, 'moved'],
  ['a primary from before the failover', { ...BASELINE, timeline: 1, position: '17/0' }, 'moved'],
  ['a standby that shows an earlier timeline', { ...BASELINE, timeline: 1, standby: true }, undefined],
  ['a standby that lags behind', { ...BASELINE, position: '16/0', standby: true }, 'moved'],
  ['a role that may see the position alone', { position: '17/0' }, undefined],
  ['a role that may see the position alone, behind', { position: '15/0' }, 'moved'],
  ['nothing to be seen', undefined, undefined],
];
for (const [what, now, verdict] of RULES)
  test(`a source against its baseline: ${what}`, () => {
    assert.equal(compareHistory(BASELINE, now)?.what, verdict);
    assert.equal(compareHistory(undefined, now), undefined);
  });

test('an earlier timeline that a standby shows is not what the next run compares with', () => {
  const standby = { ...BASELINE, timeline: 1, standby: true };
  assert.equal(positionToKeep(BASELINE, standby)?.timeline, 2);
  assert.equal(positionToKeep({ ...BASELINE, system: '72' }, standby)?.timeline, 1);
  assert.equal(positionToKeep(BASELINE, { ...BASELINE, timeline: 1 })?.timeline, 1);
});
