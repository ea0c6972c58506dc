import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { removalsOver } from './outcome-warnings.ts';
import type { RunCounts, RunWarning } from './run-record.ts';

/** A run's outcome that is no failure of anything: it waits for a person to say that it is meant. */
export class Held extends Error {}

export interface GateOptions {
  readonly activation: ResolvedActivation;
  readonly counts: RunCounts;
  /** Keys in the baseline. */
  readonly known: number;
  readonly allowRemovals: boolean;
}

/** What a run has to pass before it is decided. Throws `Held`, or SOURCE_EMPTY. Returns what it passed only because it may. */
export function passGates({ activation, counts, known, allowRemovals }: GateOptions): RunWarning[] {
  const { onEmpty, name } = activation;
  const over = removalsOver(activation, counts, known);
  if (!allowRemovals && known > 0) {
    if (counts.read === 0)
      throw new Held(`the source of ${name} returned no rows, and the baseline has ${known}`);
    if (over !== undefined) throw new Held(`the run would remove ${over}`);
  }
  if (counts.written === 0 && onEmpty === 'fail') {
    throw new SluiceError('SOURCE_EMPTY', `there is nothing to write for ${name}, and onEmpty is fail`, {
      stage: 'run',
    });
  }
  if (over === undefined) return [];
  return [{ code: 'REMOVALS_OVER', message: `removals are allowed, and the run removes ${over}` }];
}
