import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunHistory } from '../../../src/daemon/history/run-history.ts';
import type { Pauses } from '../../../src/daemon/pauses/pauses.ts';
import { RunQueue } from '../../../src/daemon/queue/run-queue.ts';
import { scheduleTarget } from '../../../src/daemon/schedule/schedule-target.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { RUN_STATES } from '../../../src/history/run-state.ts';

test('every success is followed, also one that was recovered, and nothing else that became of a run', async () => {
  const records = RUN_STATES.map(state => ({ run: state, state }) as RunRecord);
  const { successesOf } = scheduleTarget({
    history: { refresh: async () => {}, inOrder: () => records } as unknown as RunHistory,
    pauses: new Map() as unknown as Pauses,
    queue: new RunQueue(),
    trigger: () => assert.fail(),
  });
  const followed = await successesOf('load');
  assert.deepEqual(followed.map(({ run }) => run).sort(), ['recovered', 'succeeded']);
});
