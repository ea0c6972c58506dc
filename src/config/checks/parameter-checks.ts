/** What has to hold of parameters: of a model, and of an activation that has one. */

import { parameterNames } from '../../sql/sql-parameters.ts';
import { placeholdersOf } from '../file-name.ts';
import { BUILT_IN, isBuiltIn } from '../parameters/bind-parameters.ts';
import { defaultValue } from '../parameters/parameter-default.ts';
import { TYPE_FACTS } from '../parameters/parameter-types.ts';
import type { ActivationConfig, ModelConfig } from '../schema/schema.ts';
import type { KeyPath } from '../tree/located-tree.ts';
import { modelNameOf, type Sections } from './entry.ts';
import { type Finding, finding } from './rule.ts';

type Params = NonNullable<ModelConfig['params']>;

/** A text of SQL, and where it stands. */
interface SqlText {
  readonly path: KeyPath;
  readonly text: string;
}

/**
 * What is wrong with the parameters of models and of activations, as far as the keys that
 * say so are sound. Paths are from the root on.
 */
export function parameterFindings(sections: Sections): Finding[] {
  const models = [...sections.models].flatMap(([name, { path, value, sound }]) => {
    const { params, source = '', sql = '', where = '' } = value;
    const filters = [...sections.segments.values()].filter(segment => segment.value.model === name);
    const isSound = ['params', 'sql', 'where'].every(key => sound.has(key));
    if (params === undefined || !isSound || !filters.every(filter => filter.sound.has('where'))) return [];
    if (sections.sources.get(source)?.value.type === 'json')
      return [finding([...path, 'params'], 'is set, but the source is json, which takes none; leave it out')];
    const texts = [
      { path: [...path, 'sql'], text: sql },
      { path: [...path, 'where'], text: where },
      ...filters.map(({ path, value }) => ({ path: [...path, 'where'], text: value.where ?? '' })),
    ];
    return modelFindings(path, params, texts);
  });
  const activations = [...sections.activations.values()].flatMap(({ path, value, sound, given }) => {
    const name = modelNameOf(value, sections) ?? '';
    const model = sections.models.get(name);
    const segment = sections.segments.get(value.segment ?? '');
    const isSound =
      ['fileName', 'runType', 'syncMode', 'schedule', 'changeDetection'].every(key => sound.has(key)) &&
      ['params', 'sql', 'where'].every(key => model?.sound.has(key)) &&
      segment?.sound.has('where') !== false;
    if (model === undefined || !isSound) return [];
    const { params, sql = '', where = '' } = model.value;
    const found = activationFindings(value, {
      params,
      texts: [sql, where, segment?.value.where ?? ''],
      model: name,
      given,
    });
    return found.map(({ path: place, message }) => finding([...path, ...place], message));
  });
  return [...models, ...activations];
}

/** Paths are from the root on. `texts` are the query and all filters of it. */
function modelFindings(path: KeyPath, params: Params, texts: readonly SqlText[]): Finding[] {
  const declared = Object.keys(params);
  const there = [...declared, ...BUILT_IN].map(name => `:${name}`).join(' ');
  const undeclared = texts.flatMap(({ path: place, text }) =>
    parameterNames([text])
      .filter(name => !declared.includes(name) && !isBuiltIn(name))
      .map(name => finding(place, `uses :${name}, which params does not declare; there are ${there}`)),
  );
  const used = parameterNames(texts.map(({ text }) => text));
  const own = Object.entries(params).flatMap(([name, { type, default: text }]): Finding[] => {
    const place = [...path, 'params', name];
    if (isBuiltIn(name)) return [finding(place, 'is built in; expected another name')];
    if (!used.includes(name))
      return [finding(place, `is not used; expected :${name} in the query or a filter of it`)];
    const trial = { runTime: new Date(0), timezone: 'UTC' };
    if (text === undefined || defaultValue(type, text, trial) !== undefined) return [];
    const isTime = type === 'date' || type === 'timestamp';
    const more = isTime ? ', or {run_time-1d} and the like' : '';
    return [
      finding([...place, 'default'], `is not of type ${type}; expected ${TYPE_FACTS[type].expected}${more}`),
    ];
  });
  return [...undeclared, ...own];
}

/** Paths are from the activation on. */
function activationFindings(
  activation: Partial<ActivationConfig>,
  {
    params,
    texts,
    model,
    given,
  }: {
    readonly params: Params | undefined;
    readonly texts: readonly string[];
    readonly model: string;
    readonly given: ReadonlySet<string>;
  },
): Finding[] {
  const { runType, syncMode, fileName = '', schedule = [], changeDetection } = activation;
  const found: Finding[] = [];
  const used = params === undefined ? [] : parameterNames(texts);
  const own = used.filter(name => !isBuiltIn(name) && params?.[name] !== undefined);
  const inName = placeholdersOf(fileName);
  for (const name of inName.params) {
    if (own.includes(name)) continue;
    const there =
      own.length === 0 ? 'it has none' : `there are ${own.map(known => `{param.${known}}`).join(' ')}`;
    found.push(
      finding(['fileName'], `holds {param.${name}}, which is not a parameter of models.${model}; ${there}`),
    );
  }
  const keeps = runType === 'full_then_delta' && syncMode !== 'insert' && used.length > 0;
  if (given.has('maxParameterSets') && !keeps)
    found.push(
      finding(
        ['maxParameterSets'],
        'is set, and there is no baseline for each set of values: that takes parameters, runType full_then_delta, and syncMode upsert or difference',
      ),
    );
  if (used.length === 0) return found;
  const builtIn = used.filter(isBuiltIn).map(name => `:${name}`);
  if (keeps && builtIn.length > 0)
    found.push(
      finding(
        ['syncMode'],
        `is ${syncMode}, and models.${model} has ${builtIn.join(' and ')}: rows that it leaves out would count as removed; expected insert, or runType full_only`,
      ),
    );
  if (changeDetection === 'xmin')
    found.push(
      finding(
        ['changeDetection'],
        `is xmin, and models.${model} has parameters, and the server does not tell what they let through; expected auto, which reads every row then, or full`,
      ),
    );
  const unnamed = own.filter(name => !inName.params.includes(name));
  if (unnamed.length > 0 && !inName.run)
    found.push(
      finding(
        ['fileName'],
        `would be the same for other values of ${unnamed.join(', ')}, which would replace each other's files; expected ${unnamed.map(name => `{param.${name}}`).join(' ')}, or {run}`,
      ),
    );
  const lacking = own.filter(name => params?.[name]?.default === undefined);
  if (schedule.length > 0 && lacking.length > 0)
    found.push(
      finding(
        ['schedule'],
        `is set, and ${lacking.map(name => `models.${model}.params.${name}`).join(' and ')} has no default: nobody gives a scheduled run a value; expected a default`,
      ),
    );
  return found;
}
