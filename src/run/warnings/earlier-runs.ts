import type { ResolvedActivation } from '../../config/activation.ts';
import { isSameSet } from '../../config/parameters/bind-parameters.ts';
import { SluiceError } from '../../errors.ts';
import { listRuns } from '../../history/record-files.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import { hasReadAll } from './outcome-warnings.ts';

/** What a run takes from the local history, which it can do without. */

type Subject = Pick<ResolvedActivation, 'name' | 'dataDirectory'>;

/** Earlier runs that are looked at. */
const PREDECESSORS = 20;

/** The generation of the newest run that published one; 0 where the history has none. */
export async function rememberedGeneration(activation: Subject): Promise<number> {
  const published = (await recordsOf(activation)).filter(isSuccess);
  return Math.max(0, ...published.map(({ generation }) => generation));
}

/** Rows that the last run before that one returned which read them all. */
export async function previousRead(
  activation: Subject,
  { run, params }: Pick<RunRecord, 'run' | 'params'>,
): Promise<number | undefined> {
  // One dated later was made before the clock was set back, and would be compared with
  // for as long as it is ahead.
  const records = await recordsOf(activation, run);
  const previous = records.find(
    earlier => earlier.state !== 'held' && hasReadAll(earlier) && isSameSet(earlier.params, params),
  );
  return previous?.counts.read;
}

async function recordsOf({ name, dataDirectory }: Subject, before?: string): Promise<readonly RunRecord[]> {
  try {
    const within = before === undefined ? {} : { before };
    return (await listRuns({ dataDirectory, activation: name, limit: PREDECESSORS, ...within })).records;
  } catch (error) {
    // That the history cannot be read is said when the run's own record cannot be kept.
    if (error instanceof SluiceError) return [];
    throw error;
  }
}
