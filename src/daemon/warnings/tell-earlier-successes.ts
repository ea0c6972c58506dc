import type { ResolvedActivation } from '../../config/activation.ts';
import type { RunRecord } from '../../history/run-record.ts';
import type { Warnings } from '../parts.ts';

/** How many runs of an activation are looked at. */
const MOST_RUNS = 30;

/**
 * What the last daemon did not come to tell of. To be called before any run ends, by
 * which it is counted what was told.
 */
export async function tellEarlierSuccesses(
  activations: readonly ResolvedActivation[],
  history: { newest(activation: string, count: number): Promise<readonly RunRecord[]> },
  warnings: Warnings | undefined,
): Promise<void> {
  for (const activation of activations) {
    if (!activation.notify.some(({ on }) => on.includes('succeeded'))) continue;
    await warnings?.caughtUp(activation, await history.newest(activation.name, MOST_RUNS));
  }
}
