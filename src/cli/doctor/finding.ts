/** What was looked at, and what came of it. Holds no secret. */
export interface Finding {
  readonly check: string;
  /** `noted`: it works, and may not be what was meant. */
  readonly outcome: 'passed' | 'noted' | 'failed';
  readonly message: string;
  /** What to do. */
  readonly hint?: string;
}
