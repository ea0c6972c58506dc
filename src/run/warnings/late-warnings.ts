import type { ResolvedActivation } from '../../config/activation.ts';
import type { RunRecord, RunWarning } from '../../history/run-record.ts';
import { previousRead } from './earlier-runs.ts';
import { hasReadAll, rowsChangedWarning, slowRunWarning } from './outcome-warnings.ts';

/** What only the end of the run tells, and runs before it. */
export async function lateWarnings(
  activation: ResolvedActivation,
  record: RunRecord,
  tookMs: number,
): Promise<RunWarning[]> {
  const { rowsDroppedOverRatio, rowsSpikedOverRatio } = activation.warnings;
  const late = [slowRunWarning(activation, tookMs)];
  const compares = rowsDroppedOverRatio !== undefined || rowsSpikedOverRatio !== undefined;
  if (compares && hasReadAll(record)) {
    const previous = await previousRead(activation, record);
    if (previous !== undefined) late.push(rowsChangedWarning(activation, record.counts.read, previous));
  }
  return late.filter(warning => warning !== undefined);
}
