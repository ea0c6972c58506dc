import type { HeldReason } from '../history/run-record.ts';

/**
 * The outcome of a run that publishes nothing and waits for a person to say that it is
 * meant. Nothing has failed, so it is returned rather than thrown; it is an `Error` for
 * those who look at the `error` of a result and nothing else. The hint says what releases
 * the run.
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
