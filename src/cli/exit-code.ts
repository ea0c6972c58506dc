import { ERROR_KINDS, type ErrorCode, EXIT, SluiceError } from '../errors.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { ExportResult } from '../run/export-run.ts';
import { unexpectedError } from '../system-errors.ts';

/**
 * From harmless to grave. What a repetition cannot fix outranks what it can, and a run that waits for a person comes
 * after one that only has to be repeated, so that a scheduler which repeats on 75 does so.
 */
const BY_GRAVITY: readonly number[] = [
  EXIT.done,
  EXIT.changes,
  EXIT.held,
  EXIT.retry,
  EXIT.failed,
  EXIT.usage,
  EXIT.cancelled,
];

/** The exit code of a command that did several things. */
export function gravest(codes: readonly number[]): number {
  return codes.reduce<number>((worst, code) => (gravity(code) > gravity(worst) ? code : worst), EXIT.done);
}

function gravity(code: number): number {
  return BY_GRAVITY.indexOf(code);
}

export function exitCodeOf({ record, error }: ExportResult): number {
  switch (record.state) {
    case 'succeeded':
    case 'recovered':
      return EXIT.done;
    case 'held':
      return EXIT.held;
    case 'cancelled':
      return EXIT.cancelled;
    default:
      return exitCodeOfError(error);
  }
}

export function exitCodeOfError(error: unknown): number {
  return unexpectedError(error).exitCode;
}

/** The failure that the record of a run describes. */
export function errorOfRecord({ error, state }: RunRecord): SluiceError | undefined {
  if (error === undefined)
    return state === 'cancelled' ? new SluiceError('CANCELLED', 'the run was cancelled') : undefined;
  const { code, message, hint, retryable } = error;
  const known = Object.hasOwn(ERROR_KINDS, code) ? (code as ErrorCode) : 'INTERNAL';
  return new SluiceError(known, message, { hint, retryable });
}

export function exitCodeOfRecord(record: RunRecord): number {
  return exitCodeOf({ record, error: errorOfRecord(record), recovered: [] });
}
