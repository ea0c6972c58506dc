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
  return blankRecord({
    run: newRunId(instant),
    activation: name,
    trigger,
    runType,
    syncMode,
    to,
    startedAt: isoInstant(instant),
    full,
  });
}

/** The record without what came of an attempt. */
export function blankOf(record: RunRecord): RunRecord {
  return { ...blankRecord({ ...record, full: record.asked?.full }), ...keptOf(record) };
}

interface Requested
  extends Pick<RunRecord, 'run' | 'activation' | 'trigger' | 'runType' | 'syncMode' | 'startedAt'>,
    Pick<NewRecordRequest, 'full'> {
  readonly to?: string | undefined;
}

function blankRecord({
  run,
  activation,
  trigger,
  runType,
  syncMode,
  to,
  startedAt,
  full,
}: Requested): RunRecord {
  return {
    run,
    activation,
    trigger,
    state: 'queued',
    runType,
    syncMode,
    ...(to !== undefined && { to }),
    // What is known before the run has looked at its baseline.
    full: runType === 'full_only' || full === true,
    generation: 0,
    previousGeneration: 0,
    startedAt,
    counts: NO_COUNTS,
    files: [],
    warnings: [],
  };
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
