import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import type { RunCounts, RunWarning } from '../history/run-record.ts';
import { Held } from './held.ts';
import { removalsOver } from './warnings/outcome-warnings.ts';

export interface GateOptions {
  readonly activation: ResolvedActivation;
  readonly counts: RunCounts;
  /** Keys that were exported and not removed, as far as that is known. */
  readonly known: number;
  /**
   * Whether those keys were looked up, so that `counts.removed` is what there is to
   * remove.
   */
  readonly compares: boolean;
  /** The run is to be a full one. */
  readonly fullAsked: boolean;
  readonly allowRemovals: boolean;
}

/**
 * What a run has to pass before it is decided. Returns what holds it, or warnings of what
 * it passes only because that is allowed. Throws SOURCE_EMPTY where the activation wants
 * it to fail.
 */
export function passGates(options: GateOptions): RunWarning[] | Held {
  const { activation, counts, known, fullAsked, allowRemovals } = options;
  const { onEmpty, name } = activation;
  const over = removalsOver(activation, { removed: goneOf(options) }, known);
  const { parameters, parameterSet } = activation;
  // Where one baseline is that of all values, what is not read was not asked for.
  const isComparable = parameters === undefined || parameterSet !== undefined;
  if (!allowRemovals && known > 0 && isComparable) {
    const hint = `if that is meant, repeat it with ${fullAsked ? '--full ' : ''}--allow-removals`;
    if (counts.read === 0) {
      const message = `the source of ${name} returned no rows, and the baseline has ${known}`;
      return new Held('SOURCE_EMPTY', message, hint);
    }
    if (over !== undefined) return new Held('REMOVALS_OVER', `the run would remove ${over}`, hint);
  }
  if (counts.written === 0 && onEmpty === 'fail') {
    throw new SluiceError('SOURCE_EMPTY', `there is nothing to write for ${name}, and onEmpty is fail`, {
      stage: 'run',
    });
  }
  if (over === undefined) return [];
  return [{ code: 'REMOVALS_OVER', message: `removals are allowed, and the run removes ${over}` }];
}

/** Rows that are gone; where keys could not be looked up, so many as there are fewer. */
function goneOf({ activation, counts, known, compares }: GateOptions): number {
  if (compares || activation.syncMode === 'insert') return counts.removed;
  return Math.max(0, known - (counts.read - counts.skipped));
}
