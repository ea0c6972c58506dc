import type { SluiceError } from '../errors.ts';

/**
 * A block could not be sent in the time that a request has; smaller ones, and fewer at a
 * time, may be.
 */
export class BlockTooSlow extends Error {
  override readonly name = 'BlockTooSlow';
  readonly failure: SluiceError;
  /** What is left of the time in which it may be tried again. */
  readonly leftMs: number;

  constructor(failure: SluiceError, leftMs: number) {
    super(failure.message);
    this.failure = failure;
    this.leftMs = leftMs;
  }
}
