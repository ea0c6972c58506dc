import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import type { RunCounts } from './run-record.ts';

/** A run's outcome that is no failure of anything: it waits for a person to say that it is meant. */
export class Held extends Error {}

export interface GateOptions {
  readonly activation: ResolvedActivation;
  readonly counts: RunCounts;
  /** Keys in the baseline. */
  readonly known: number;
  readonly allowRemovals: boolean;
}

/** What a run has to pass before it is decided. Throws `Held`, or SOURCE_EMPTY. */
export function passGates({ activation, counts, known, allowRemovals }: GateOptions): void {
  const { onEmpty, name, warnings } = activation;
  const limit = warnings.removedRowsOverRatio;
  if (!allowRemovals && known > 0) {
    if (counts.read === 0)
      throw new Held(`the source of ${name} returned no rows, and the baseline has ${known}`);
    if (limit !== undefined && counts.removed > known * limit) {
      const percent = ((100 * counts.removed) / known).toFixed(1);
      throw new Held(`the run would remove ${counts.removed} of ${known} rows (${percent} %)`);
    }
  }
  if (counts.written === 0 && onEmpty === 'fail') {
    throw new SluiceError('SOURCE_EMPTY', `there is nothing to write for ${name}, and onEmpty is fail`, {
      stage: 'run',
    });
  }
}
