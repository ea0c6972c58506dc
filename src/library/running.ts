/** Runs, and what looks at one before and after, for programs. */

import type { RunRecord } from '../history/run-record.ts';
import { type ExportRequest as Export, type ExportResult, exportRun as run } from '../run/export-run.ts';
import {
  type Plan,
  type PlanRequest as Planning,
  planActivation as plan,
} from '../run/plan/plan-activation.ts';
import {
  type Preview,
  type PreviewRequest as Previewing,
  previewActivation as preview,
} from '../run/preview.ts';
import {
  type ValidationRequest as Validating,
  type Validation,
  validateActivation as validate,
} from '../run/validation/validate.ts';
import {
  type Verification,
  type VerifyRequest as Verifying,
  verifyRun as verify,
} from '../verify/verify-run.ts';
import { type Abortable, signalOf } from './optional.ts';

const PREVIEWED_ROWS = 10;
const PLANNED_ROWS = 20;

type Asked = 'activation' | 'full' | 'params' | 'observe' | 'clean' | 'parts';

export interface ExportRequest extends Abortable, Pick<Export, Asked | 'allowRemovals'> {
  /** What the record says asked for the run; default `library`. */
  readonly trigger?: RunRecord['trigger'];
}

/**
 * Runs an activation once, and publishes what it exported, all at once. What the world
 * can cause does not reject: the record says how the run ended, `error` why. An aborted
 * signal cancels the run, unless it is decided already: then it is finished.
 */
export function exportRun(request: ExportRequest): Promise<ExportResult> {
  return run({ ...request, trigger: request.trigger ?? 'library', signal: signalOf(request) });
}

export interface PlanRequest extends Abortable, Pick<Planning, Asked> {
  /** Rows to show of each change, at most 100; default 20. */
  readonly rows?: number;
}

/**
 * What a run would publish now. Nothing is written, and the baseline is only read.
 * Rejects with what such a run would fail with.
 */
export function planActivation(request: PlanRequest): Promise<Plan> {
  return plan({ ...request, rows: request.rows ?? PLANNED_ROWS, signal: signalOf(request) });
}

export interface PreviewRequest extends Abortable, Pick<Previewing, 'activation' | 'params' | 'clean'> {
  /** At most so many; default 10. */
  readonly rows?: number;
}

/** The first rows, as files would hold them. Rejects with what the source says. */
export function previewActivation(request: PreviewRequest): Promise<Preview> {
  return preview({ ...request, rows: request.rows ?? PREVIEWED_ROWS, signal: signalOf(request) });
}

export interface ValidationRequest extends Abortable, Pick<Validating, 'activation'> {
  /** Makes no connection. */
  readonly offline?: boolean;
}

/**
 * Whether a run would work, without reading a row or writing anything. What is wrong is
 * in the checks; rejects for defects only.
 */
export function validateActivation(request: ValidationRequest): Promise<Validation> {
  return validate({ ...request, offline: request.offline ?? false, signal: signalOf(request) });
}

export interface VerifyRequest extends Abortable, Pick<Verifying, 'run' | 'activations' | 'onFile'> {}

/**
 * Reads the files of a run back, by readers that share no code with what wrote them, and
 * compares them with its manifest. Rejects with NAME_UNKNOWN where nobody knows the run.
 */
export function verifyRun(request: VerifyRequest): Promise<Verification> {
  return verify({ ...request, signal: signalOf(request) });
}
