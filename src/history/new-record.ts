import type { ResolvedActivation } from '../config/activation.ts';
import type { SluiceError } from '../errors.ts';
import { isoInstant } from './iso-instant.ts';
import { newRunId } from './run-id.ts';
import { NO_COUNTS, type RunError, type RunRecord } from './run-record.ts';

export interface NewRecordRequest {
  readonly trigger: RunRecord['trigger'];
  readonly instant: Date;
  /** Whether every row is asked for. */
  readonly full?: boolean | undefined;
}

/** The record of a run that nothing is known of yet. */
export function newRecord(
  { name, runType, syncMode, to }: ResolvedActivation,
  { trigger, instant, full }: NewRecordRequest,
): RunRecord {
  return {
    run: newRunId(instant),
    activation: name,
    trigger,
    state: 'queued',
    runType,
    syncMode,
    ...(to !== undefined && { to }),
    full: isFullAsked(runType, full),
    generation: 0,
    previousGeneration: 0,
    startedAt: isoInstant(instant),
    counts: NO_COUNTS,
    files: [],
    warnings: [],
  };
}

/** What is known of it before the run has looked at its baseline. */
export function isFullAsked(runType: RunRecord['runType'], full: boolean | undefined): boolean {
  return runType === 'full_only' || full === true;
}

/** What stays of a run from attempt to attempt: all that does not come of making it. */
export function keptOf(record: RunRecord): Partial<RunRecord> {
  const { run, trigger, startedAt, requestedAt, asked, idempotencyKey, scheduledFor, attempt, attempts } =
    record;
  return {
    run,
    trigger,
    startedAt,
    ...(requestedAt !== undefined && { requestedAt }),
    ...(asked && { asked }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(scheduledFor !== undefined && { scheduledFor }),
    ...(attempt !== undefined && { attempt }),
    ...(attempts && { attempts }),
  };
}

export function toRunError({ code, category, stage, message, hint, retryable }: SluiceError): RunError {
  return { code, category, ...(stage && { stage }), message, hint, retryable };
}
