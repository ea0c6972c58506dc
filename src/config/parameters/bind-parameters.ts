import { SluiceError } from '../../errors.ts';
import { parameterNames } from '../../sql/sql-parameters.ts';
import type { ResolvedActivation } from '../activation.ts';
import { defaultValue } from './parameter-default.ts';
import { type ParameterSet, parameterSet } from './parameter-set.ts';
import { type BoundParameter, type BoundParameters, TYPE_FACTS } from './parameter-types.ts';

/** The parameters that every model with `params` has. */
export const BUILT_IN = ['run_time', 'last_success'] as const;
export type BuiltIn = (typeof BUILT_IN)[number];

/** Values as they were asked for, by name. */
export type GivenParameters = Readonly<Record<string, string>>;

/** Values as a run has them; `null` is NULL. */
type ParameterValues = Readonly<Record<string, string | null>>;

type Parameterized = Pick<
  ResolvedActivation,
  'name' | 'model' | 'where' | 'timezone' | 'runType' | 'syncMode'
>;

/** Which of its model's parameters an activation uses. */
export function usedParameters({ model, where }: Pick<Parameterized, 'model' | 'where'>): readonly string[] {
  if (model.params === undefined) return [];
  return parameterNames([model.sql, model.table?.where ?? '', where ?? '']);
}

/**
 * Whether there is a baseline for each set of values. `insert` has one of the keys of all
 * sets: it writes each key once, whichever values brought it.
 */
export function keepsSets(activation: Omit<Parameterized, 'name' | 'timezone'>): boolean {
  const { runType, syncMode } = activation;
  return runType === 'full_then_delta' && syncMode !== 'insert' && usedParameters(activation).length > 0;
}

export function isBuiltIn(name: string): name is BuiltIn {
  return (BUILT_IN as readonly string[]).includes(name);
}

/**
 * What a run may be given, or a plan of one: see `checkGiven`, `refuseSecrets` and
 * `checkWhole`.
 */
export function acceptParameters(
  activation: Parameterized,
  given: GivenParameters | undefined,
  clean: (text: string) => string,
): GivenParameters {
  const accepted = checkGiven(activation, given);
  refuseSecrets(accepted, clean);
  checkWhole(activation, accepted);
  return accepted;
}

/**
 * The given values, each as the one text of its value. Throws PARAMETER_INVALID for a
 * name that the activation does not use, and for a text that is of no such value.
 */
export function checkGiven(activation: Parameterized, given: GivenParameters = {}): GivenParameters {
  const { name: activationName, model } = activation;
  const known = usedParameters(activation).filter(name => !isBuiltIn(name));
  const checked = Object.entries(given).map(([name, text]) => {
    const declared = known.includes(name) ? model.params?.[name] : undefined;
    if (declared === undefined) {
      const there = known.length === 0 ? 'it takes none' : `there are ${known.join(', ')}`;
      throw invalid(`${activationName} takes no parameter ${JSON.stringify(name)}; ${there}`);
    }
    const { expected, canonical } = TYPE_FACTS[declared.type];
    const value = canonical(text);
    if (value !== undefined) return [name, value] as const;
    throw invalid(
      `parameter ${name} of ${activationName} is ${JSON.stringify(text.slice(0, 100))}; expected ${expected}`,
    );
  });
  return Object.fromEntries(checked);
}

/** Throws PARAMETER_INVALID for a value that `clean` conceals: values are shown. */
export function refuseSecrets(given: GivenParameters, clean: (text: string) => string): void {
  const name = Object.keys(given).find(name => clean(given[name]!) !== given[name]);
  if (name === undefined) return;
  throw invalid(
    `the value of parameter ${name} holds a secret of the configuration, or looks like one`,
    'values are kept and shown: give one that may be',
  );
}

/** Throws PARAMETER_INVALID where a parameter has neither a value nor a default. */
export function checkWhole(activation: Parameterized, given: GivenParameters = {}): void {
  for (const name of usedParameters(activation)) {
    if (isBuiltIn(name) || Object.hasOwn(given, name)) continue;
    if (activation.model.params?.[name]?.default === undefined) throw lacking(activation, name);
  }
}

function lacking({ name: activation }: Parameterized, name: string): SluiceError {
  return invalid(
    `parameter ${name} of ${activation} has no value and no default`,
    `give it with --param ${name}=…, or in "params" over HTTP; or give it a default`,
  );
}

export interface BindingOptions {
  readonly given?: GivenParameters | undefined;
  readonly runTime: Date;
  /** Is asked where the query wants it; `null` before the first success. */
  readonly lastSuccess: (values: ParameterValues) => Promise<string | null>;
  /** Parameters without a value are NULL, for whoever reads no row. */
  readonly mayLack?: boolean;
}

/**
 * The activation with a value for each parameter that its query has; as it is where the
 * model declares none. Throws PARAMETER_INVALID, also where one has neither value nor
 * default.
 */
export async function bindParameters<Activation extends Parameterized>(
  activation: Activation,
  { given, runTime, lastSuccess, mayLack = false }: BindingOptions,
): Promise<Activation & { readonly parameters?: BoundParameters; readonly parameterSet?: ParameterSet }> {
  const { params } = activation.model;
  const checked = checkGiven(activation, given);
  if (params === undefined) return activation;
  const { timezone } = activation;
  const used = usedParameters(activation);
  const own = used
    .filter(name => !isBuiltIn(name))
    .map((name): [string, BoundParameter] => {
      const { type, default: text } = params[name]!;
      const fallback = text === undefined ? undefined : defaultValue(type, text, { runTime, timezone });
      const value = Object.hasOwn(checked, name) ? checked[name] : fallback;
      if (value === undefined && !mayLack) throw lacking(activation, name);
      return [name, { type, value: value ?? null }];
    });
  const type = 'timestamp';
  const builtIn: [string, BoundParameter][] = [];
  if (used.includes('last_success')) {
    const value = await lastSuccess(valuesOf(Object.fromEntries(own)));
    builtIn.push(['last_success', { type, value }]);
  }
  if (used.includes('run_time')) {
    const value = TYPE_FACTS.timestamp.canonical(runTime.toISOString())!;
    builtIn.push(['run_time', { type, value }]);
  }
  const parameters = Object.fromEntries([...own, ...builtIn]);
  return {
    ...activation,
    parameters,
    ...(keepsSets(activation) && { parameterSet: parameterSet(parameters) }),
  };
}

/**
 * The activation with its values where they say which baseline is meant; else as it is.
 * Throws PARAMETER_INVALID.
 */
export async function bindSet(
  activation: ResolvedActivation,
  { given, runTime }: Pick<BindingOptions, 'given' | 'runTime'>,
): Promise<ResolvedActivation> {
  if (!keepsSets(activation)) return activation;
  // What asks for the last success has no such baseline.
  return bindParameters(activation, { given, runTime, lastSuccess: async () => null });
}

/** As records and manifests hold them. */
export function valuesOf(parameters: BoundParameters): ParameterValues {
  return Object.fromEntries(Object.entries(parameters).map(([name, { value }]) => [name, value]));
}

/**
 * Whether two are the same values of the same parameters, in any order. Those that are
 * built in do not count.
 */
export function isSameSet(a: ParameterValues = {}, b: ParameterValues = {}): boolean {
  const [names, others] = [a, b].map(values => Object.keys(values).filter(name => !isBuiltIn(name)));
  return names!.length === others!.length && names!.every(name => a[name] === b[name]);
}

function invalid(message: string, hint?: string): SluiceError {
  return new SluiceError('PARAMETER_INVALID', message, { stage: 'configuration', ...(hint && { hint }) });
}
