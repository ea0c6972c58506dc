import type { ResolvedActivation } from '../config/activation.ts';
import { bindParameters, type GivenParameters } from '../config/parameters/bind-parameters.ts';

/**
 * The activation with values for whoever looks at rows and makes no run of it: nothing
 * has succeeded before.
 */
export function bindNow(
  activation: ResolvedActivation,
  given: GivenParameters | undefined,
  { mayLack = false, now = new Date() } = {},
): Promise<ResolvedActivation> {
  return bindParameters(activation, { given, mayLack, runTime: now, lastSuccess: async () => null });
}
