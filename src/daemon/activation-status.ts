import type { ResolvedActivation } from '../config/activation.ts';
import { withoutSample } from '../history/without-sample.ts';
import type { RecentRuns } from './history/recent-runs.ts';
import type { RunHistory } from './history/run-history.ts';
import type { ActivationStatus } from './operations.ts';
import type { Scheduler, Warnings } from './parts.ts';
import type { Pauses } from './pauses/pauses.ts';
import type { RunQueue } from './queue/run-queue.ts';

export interface StatusSources {
  readonly history: RunHistory;
  readonly recentRuns: RecentRuns;
  readonly queue: RunQueue;
  readonly pauses: Pauses;
  readonly scheduler: Scheduler | undefined;
  readonly warnings: Warnings | undefined;
}

/** How an activation stands, put together from all who know something of it. */
export async function activationStatus(
  activation: ResolvedActivation,
  { history, recentRuns, queue, pauses, scheduler, warnings }: StatusSources,
): Promise<ActivationStatus> {
  const { name, model, segmentName, destination, format, runType, syncMode } = activation;
  await history.refresh(name);
  const paused = pauses.get(name);
  const running = queue.runningOf(name)?.record.run;
  const [lastRun] = await history.newest(name, 1);
  const lastSuccessAt = history.lastSuccess(name)?.endedAt;
  const nextRunAt = scheduler?.nextRunAt(name)?.toISOString();
  return {
    name,
    model: model.name,
    ...(segmentName !== undefined && { segment: segmentName }),
    destination: destination.name,
    format: format.type,
    runType,
    syncMode,
    ...(paused && { paused }),
    ...(running !== undefined && { running }),
    queued: queue.waitingOf(name).map(({ record }) => record.run),
    ...(lastRun && { lastRun: withoutSample(lastRun) }),
    recent: await recentRuns.of(name),
    ...(lastSuccessAt !== undefined && { lastSuccessAt }),
    ...(nextRunAt !== undefined && { nextRunAt }),
    warnings: warnings?.active(name) ?? [],
  };
}
