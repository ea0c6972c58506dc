import type { Operations } from '../operations.ts';
import type { ScheduleTarget } from '../parts.ts';
import type { Pauses } from '../pauses/pauses.ts';
import type { RunQueue } from '../queue/run-queue.ts';

interface TargetParts extends Pick<Operations, 'trigger'> {
  readonly queue: RunQueue;
  readonly pauses: Pauses;
}

/** What the scheduler of a daemon works on. */
export function scheduleTarget({ queue, pauses, trigger }: TargetParts): ScheduleTarget {
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
  };
}
