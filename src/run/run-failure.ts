import { SluiceError } from '../errors.ts';
import { toRunError } from '../history/new-record.ts';
import type { RunRecord, RunWarning } from '../history/run-record.ts';
import { unexpectedError } from '../system-errors.ts';
import { Held } from './held.ts';

/** What ended a run: what is not known to be the world's doing is a defect. */
export function toSluiceError(cause: unknown, isAborted: boolean): SluiceError | Held {
  if (cause instanceof Held) return cause;
  if (isAborted) return new SluiceError('CANCELLED', 'the run was cancelled', { cause, stage: 'run' });
  return unexpectedError(cause, { stage: 'run' });
}

/** The record of a run that came to nothing, or is decided and could not be finished. */
export function endedRecord(record: RunRecord, error: SluiceError | Held): RunRecord {
  // Before the decision: what it staged is dropped, and the generation that it was to
  // make is not made.
  const dropped = record.state === 'reading' && {
    generation: 0,
    counts: { ...record.counts, written: 0, bytes: 0 },
  };
  if (error instanceof Held) {
    const { reason, message, hint: release } = error;
    const warnings: RunWarning[] = [...record.warnings, { code: 'HELD', message }];
    return { ...record, ...dropped, state: 'held', warnings, reason, release };
  }
  const state = error.code === 'CANCELLED' ? 'cancelled' : 'failed';
  return { ...record, ...dropped, state, error: toRunError(error) };
}
