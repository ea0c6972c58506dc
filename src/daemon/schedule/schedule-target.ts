import { isSuccess } from '../../history/run-state.ts';
import type { RunHistory } from '../history/run-history.ts';
import type { Operations } from '../operations.ts';
import type { FollowTarget, ScheduleTarget } from '../parts.ts';
import type { Pauses } from '../pauses/pauses.ts';
import type { RunQueue } from '../queue/run-queue.ts';

interface TargetParts extends Pick<Operations, 'trigger'> {
  readonly queue: RunQueue;
  readonly pauses: Pauses;
  readonly history: RunHistory;
}

/** What the scheduler of a daemon works on. */
export function scheduleTarget({
  queue,
  pauses,
  history,
  trigger,
}: TargetParts): ScheduleTarget & FollowTarget {
  return {
    isBusy: name => queue.isBusy(name),
    hasScheduledWaiting: name => queue.waitingOf(name).some(({ record }) => record.trigger === 'schedule'),
    isPaused: name => pauses.get(name) !== undefined,
    trigger: async (activation, dueAt, setBackAt) => {
      // The key makes one run of a schedule that is triggered again after a crash.
      const again = setBackAt ? ` set back ${setBackAt.toISOString()}` : '';
      const idempotencyKey = `schedule ${dueAt.toISOString()}${again}`;
      await trigger({ activation, trigger: 'schedule', idempotencyKey, scheduledFor: dueAt });
    },
    successesOf: async activation => {
      await history.refresh(activation);
      return history.inOrder(activation).filter(isSuccess);
    },
    follow: async (activation, other, { run, endedAt }) => {
      const idempotencyKey = `after ${other} ${run}`;
      const scheduledFor = endedAt === undefined ? {} : { scheduledFor: new Date(endedAt) };
      await trigger({ activation, trigger: 'schedule', idempotencyKey, ...scheduledFor });
    },
  };
}
