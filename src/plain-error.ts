import { type ErrorCode, type ErrorStage, SluiceError } from './errors.ts';
import { unexpectedError } from './system-errors.ts';

/** An error as it passes between processes and threads. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly stage?: ErrorStage;
}

export function toPlainError(error: unknown): PlainError {
  const { code, message, hint, retryable, stage } = unexpectedError(error);
  return { code, message, hint, retryable, ...(stage && { stage }) };
}

export function fromPlainError({ code, message, hint, retryable, stage }: PlainError): SluiceError {
  return new SluiceError(code, message, { hint, retryable, ...(stage && { stage }) });
}
