import { join } from 'node:path';
import { SYSTEM_CLOCK } from '../clock.ts';
import type { LoadedConfig } from '../config/load.ts';
import { listRuns } from '../history/record-files.ts';
import type { RunRecord } from '../history/run-record.ts';
import { isSuccess } from '../history/run-state.ts';
import { DocumentFolder } from './documents/document-folder.ts';
import { inShort, RECENT_RUNS } from './history/recent-runs.ts';
import type { ActivationStatus } from './operations.ts';
import { Pauses } from './pauses/pauses.ts';
import { keptAttendance } from './schedule/cron-scheduler.ts';
import { dueTimes } from './schedule/due-times.ts';
import { keptWarnings } from './warnings/activation-warnings.ts';

/** The last success is looked for among so many runs. */
const RUNS_LOOKED_AT = 50;

/**
 * How each activation stands, as the data directory tells it: what the daemon answers,
 * without one. `live` are the records of runs that have not ended. Rejects with
 * STATE_DAMAGED where it cannot be known what is paused.
 */
export async function keptStatuses(
  { config }: Pick<LoadedConfig, 'config'>,
  live: readonly RunRecord[],
): Promise<ActivationStatus[]> {
  const { dataDirectory, activations, segments } = config;
  const documents = new DocumentFolder(join(dataDirectory, 'daemon'));
  const pauses = await Pauses.open(documents, SYSTEM_CLOCK);
  const [warnings, attendance] = await Promise.all([keptWarnings(documents), keptAttendance(documents)]);
  const now = SYSTEM_CLOCK.now();
  const statuses: ActivationStatus[] = [];
  for (const name of Object.keys(activations).sort()) {
    const { segment, destination, format, runType, syncMode, schedule, ...own } = activations[name]!;
    const { records } = await listRuns({ dataDirectory, activation: name, limit: RUNS_LOOKED_AT });
    const waiting = live.filter(({ activation }) => activation === name);
    const running = waiting.find(({ state }) => state !== 'queued');
    const paused = pauses.get(name);
    const lastSuccessAt = records.find(isSuccess)?.endedAt;
    const due = schedule.flatMap(entry => {
      if ('after' in entry) return [];
      const times = dueTimes('cron' in entry ? entry : { everyMs: entry.every });
      const attended = attendance.get(name)?.get(times.key);
      const from = 'cron' in entry ? now : attended;
      return (from && times.nextAfter(from)) ?? [];
    });
    const nextRunAt = paused ? undefined : due.sort((one, other) => one.getTime() - other.getTime())[0];
    statuses.push({
      name,
      model: (segment === undefined ? own.model : segments[segment]?.model) ?? '',
      ...(segment !== undefined && { segment }),
      destination,
      format: format.type,
      runType,
      syncMode,
      ...(paused && { paused }),
      ...(running && { running: running.run }),
      queued: waiting.filter(run => run !== running).map(({ run }) => run),
      ...(records[0] && { lastRun: records[0] }),
      recent: records.slice(0, RECENT_RUNS).reverse().map(inShort),
      ...(lastSuccessAt !== undefined && { lastSuccessAt }),
      ...(nextRunAt && { nextRunAt: nextRunAt.toISOString() }),
      warnings: warnings.get(name) ?? [],
    });
  }
  return statuses;
}
