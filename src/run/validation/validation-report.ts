import type { Note } from '../../config/schema/note-kinds.ts';
import { toRunError } from '../../history/new-record.ts';
import type { RunError } from '../../history/run-record.ts';
import type { ShownColumn } from '../../row-batch.ts';
import type { CheckName, Validation } from './validate.ts';

/**
 * What was found out about an activation, for programs: the answer of the API, and
 * `sluice validate --json`.
 */
export interface ValidationReport {
  readonly activation: string;
  /** Whether no check failed. */
  readonly passed: boolean;
  readonly checks: readonly {
    readonly check: CheckName;
    readonly outcome: 'passed' | 'warned' | 'failed';
    readonly message: string;
    readonly error?: RunError;
  }[];
  readonly columns: readonly ShownColumn[];
  readonly names: readonly string[];
  readonly notes: readonly Note[];
}

export function validationReport({ checks, ...validation }: Validation): ValidationReport {
  return {
    ...validation,
    passed: checks.every(({ outcome }) => outcome !== 'failed'),
    checks: checks.map(found => {
      if (found.outcome !== 'failed') return found;
      const { check, outcome, error } = found;
      return { check, outcome, message: error.message, error: toRunError(error) };
    }),
  };
}
