import type { ResolvedActivation } from '../../config/activation.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import type { LeftOut } from '../operations.ts';
import type { FollowTarget, Scheduler, SchedulerOptions, ScheduleTarget } from '../parts.ts';
import { CronScheduler } from './cron-scheduler.ts';
import { FollowUps } from './follow-ups.ts';

/** Runs that are due by the clock, and those that come after others. */
export class Schedules implements Scheduler {
  readonly #byClock: CronScheduler;
  readonly #followUps: FollowUps;

  constructor(options: SchedulerOptions<ScheduleTarget & FollowTarget>) {
    this.#byClock = new CronScheduler(options);
    this.#followUps = new FollowUps(options);
  }

  async schedule(activations: readonly ResolvedActivation[]): Promise<void> {
    await this.#followUps.schedule(activations);
    await this.#byClock.schedule(activations);
  }

  runEnded(record: RunRecord): void {
    if (isSuccess(record)) void this.#followUps.look();
  }

  nextRunAt(activation: string): Date | undefined {
    return this.#byClock.nextRunAt(activation);
  }

  upcoming(activation: string, count: number): readonly Date[] {
    return this.#byClock.upcoming(activation, count);
  }

  leftOut(activation: string): readonly LeftOut[] {
    return this.#byClock.leftOut(activation);
  }

  stop(): void {
    this.#followUps.stop();
    this.#byClock.stop();
  }
}
