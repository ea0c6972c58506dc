import { activationsIn } from '../../history/record-files.ts';
import type { RunRecord } from '../../history/run-record.ts';
import type { Configuration } from '../configuration.ts';
import type { RunPage, RunQuery } from '../operations.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { RunHistory } from './run-history.ts';

interface Candidate {
  readonly run: string;
  /** The record of a run that has not ended. */
  readonly record?: RunRecord;
}

interface RunSources {
  readonly queue: RunQueue;
  readonly history: RunHistory;
  readonly configuration: Pick<Configuration, 'dataDirectory' | 'resolve'>;
}

/**
 * Runs of queue and history, the newest first. Reads the records that it returns, and no
 * others. Rejects with NAME_UNKNOWN for an activation that is not in the configuration
 * and has no runs left from when it was.
 */
export async function listRuns(query: RunQuery, sources: RunSources): Promise<RunPage> {
  const { queue, history, configuration } = sources;
  const { activation, sees = () => true, states, before, limit } = query;
  const all = activation === undefined ? await activationsIn(configuration.dataDirectory) : [activation];
  const names = all.filter(sees);
  for (const name of names) await history.refresh(name);
  if (activation !== undefined && !hasRuns(activation, sources)) configuration.resolve(activation);
  const fits = (run: string, state: RunRecord['state']): boolean =>
    (states === undefined || states.includes(state)) && (before === undefined || run < before);

  const candidates: Candidate[] = [];
  for (const { record } of queue.runs) {
    if (activation !== undefined && record.activation !== activation) continue;
    if (!sees(record.activation)) continue;
    if (fits(record.run, record.state)) candidates.push({ run: record.run, record });
  }
  for (const name of names) {
    let taken = 0;
    for (const { run, state } of history.entriesOf(name)) {
      if (taken > limit) break;
      if (queue.find(run) !== undefined || !fits(run, state)) continue;
      candidates.push({ run });
      taken++;
    }
  }
  candidates.sort((a, b) => (a.run < b.run ? 1 : -1));
  const page = candidates.slice(0, limit);
  const records = await Promise.all(
    page.map(({ run, record }) => record ?? history.read(run).catch(() => undefined)),
  );
  return {
    records: records.filter(record => record !== undefined),
    more: candidates.length > limit,
  };
}

function hasRuns(name: string, { queue, history }: RunSources): boolean {
  return history.entriesOf(name).length > 0 || queue.runs.some(({ record }) => record.activation === name);
}
