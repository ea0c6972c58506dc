import type { HeldReason } from '../history/run-record.ts';

/**
 * A run's outcome that is no failure of anything: it publishes nothing, and waits for a
 * person to say that it is meant. The hint says what releases it.
 */
export class Held extends Error {
  readonly reason: HeldReason;
  readonly hint: string;

  constructor(reason: HeldReason, message: string, hint: string) {
    super(message);
    this.reason = reason;
    this.hint = hint;
  }
}
