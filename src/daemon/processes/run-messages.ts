import type { RunRecord } from '../../history/run-record.ts';
import { fromPlainError, type PlainError, toPlainError } from '../../plain-error.ts';
import type { RunProgress } from '../../run/export-run.ts';
import type { Plan } from '../../run/plan/plan-activation.ts';
import type { Preview } from '../../run/preview.ts';
import type { Check, Validation } from '../../run/validation/validate.ts';

/**
 * What the daemon and the process of a run say to each other; plain data, as it passes
 * between processes.
 */
export type ToRunProcess =
  /** With the snapshot of what the activation needs of the configuration. */
  | { readonly what: 'begin'; readonly job: Job; readonly snapshot: string }
  /** Stop: what is not decided is dropped. */
  | { readonly what: 'stop'; readonly why: StopReason };

/** `ending`: whoever made the process ends; what it was made for is made again. */
export type StopReason = 'cancelled' | 'ending';

/** What a process is made for. */
export type Job =
  | { readonly kind: 'export'; readonly activation: string; readonly record: RunRecord }
  /** Reads a slice that the queue gave to this worker. */
  | {
      readonly kind: 'slice';
      readonly activation: string;
      readonly run: string;
      readonly slice: number;
      readonly worker: string;
    }
  /** Finishes what an earlier process has decided, and makes no run. */
  | { readonly kind: 'recover'; readonly activation: string }
  | { readonly kind: 'validate'; readonly activation: string }
  | { readonly kind: 'preview'; readonly activation: string; readonly rows: number }
  | {
      readonly kind: 'plan';
      readonly plan: string;
      readonly activation: string;
      readonly full?: boolean;
      readonly params?: Readonly<Record<string, string>>;
      readonly rows: number;
    };

export type FromRunProcess =
  /** Comes every second, whatever the run does. */
  | { readonly what: 'alive'; readonly residentBytes: number }
  | { readonly what: 'progress'; readonly progress: RunProgress }
  /** The last message. */
  | { readonly what: 'done'; readonly result: JobResult }
  | { readonly what: 'failed'; readonly error: PlainError };

export type JobResult =
  | {
      readonly kind: 'export';
      readonly record: RunRecord;
      readonly recovered: readonly RunRecord[];
      /** The chain of causes, for the log. */
      readonly causes: readonly string[];
      /** See `ExportResult`. */
      readonly clockAheadMs?: number;
    }
  | { readonly kind: 'slice'; readonly rows: number; readonly bytes: number }
  | { readonly kind: 'recover'; readonly recovered: readonly RunRecord[] }
  | { readonly kind: 'validate'; readonly validation: PlainValidation }
  | { readonly kind: 'preview'; readonly preview: Preview }
  | { readonly kind: 'plan'; readonly plan: Plan };

export interface PlainValidation extends Omit<Validation, 'checks'> {
  readonly checks: readonly PlainCheck[];
}
type PlainCheck =
  | Exclude<Check, { outcome: 'failed' }>
  | (Omit<Extract<Check, { outcome: 'failed' }>, 'error'> & { readonly error: PlainError });

export function toPlainValidation({ checks, ...validation }: Validation): PlainValidation {
  const plain = checks.map(check =>
    check.outcome === 'failed' ? { ...check, error: toPlainError(check.error) } : check,
  );
  return { ...validation, checks: plain };
}

export function fromPlainValidation({ checks, ...validation }: PlainValidation): Validation {
  const made = checks.map(check =>
    check.outcome === 'failed' ? { ...check, error: fromPlainError(check.error) } : check,
  );
  return { ...validation, checks: made };
}
