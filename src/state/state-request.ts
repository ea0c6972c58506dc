import type { ResolvedActivation } from '../config/activation.ts';
import { bindSet, type GivenParameters } from '../config/parameters/bind-parameters.ts';
import type { ParameterSet } from '../config/parameters/parameter-set.ts';
import { valuesText } from './room-for-set.ts';

export interface StateRequest {
  readonly activation: ResolvedActivation;
  /**
   * Values of the query's parameters, where there is a baseline for each set of them; as
   * for a run, defaults stand in for what is not given.
   */
  readonly params?: GivenParameters | undefined;
}

/** The activation with the set whose baseline is meant. Throws PARAMETER_INVALID. */
export function boundTo({ activation, params }: StateRequest): Promise<ResolvedActivation> {
  return bindSet(activation, { given: params, runTime: new Date() });
}

/** As messages name it. */
export function nameOfBaseline(activation: string, set: ParameterSet | undefined): string {
  return set === undefined ? activation : `${activation} with ${valuesText(set.values)}`;
}
