import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveActivation } from '../../../src/config/activation.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { bindParameters, valuesOf } from '../../../src/config/parameters/bind-parameters.ts';
import { defaultValue } from '../../../src/config/parameters/parameter-default.ts';
import { parameterSet } from '../../../src/config/parameters/parameter-set.ts';
import { TYPE_FACTS } from '../../../src/config/parameters/parameter-types.ts';

type Settings = Record<string, unknown>;

function textOf(model: Settings, activation: Settings = {}, more: Settings = {}): string {
  return JSON.stringify({
    version: 1,
    sources: { db: { type: 'postgres', url: 'postgres://u@h/d' } },
    destinations: {
      lake: {
        type: 'azure-blob',
        accountUrl: 'https://a.blob.core.windows.net',
        container: 'exports',
        auth: { accountKey: 'a2V5' },
      },
    },
    models: { orders: { source: 'db', primaryKey: ['id'], ...model } },
    activations: {
      out: {
        model: 'orders',
        destination: 'lake',
        fileName: '{run}',
        format: { type: 'csv' },
        ...activation,
      },
    },
    ...more,
  });
}

function problems(model: Settings, activation?: Settings, more?: Settings): string {
  try {
    parseConfig({ text: textOf(model, activation, more), environment: {} });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const DAY = { sql: 'select * from orders where day = :day', params: { day: { type: 'date' } } };

const REFUSED: readonly (readonly [what: string, found: string, expected: RegExp])[] = [
  [
    'a name that is not declared',
    problems({ ...DAY, sql: `${DAY.sql} and brand = :brand` }),
    /models\.orders\.sql uses :brand, which params does not declare; there are :day :run_time :last_success/,
  ],
  [
    'a declaration that is not used',
    problems({ ...DAY, params: { ...DAY.params, brand: { type: 'text' } } }),
    /models\.orders\.params\.brand is not used; expected :brand in the query/,
  ],
  [
    'the name of a built-in one',
    problems({ ...DAY, params: { ...DAY.params, run_time: { type: 'date' } } }),
    /params\.run_time is built in/,
  ],
  [
    'an unknown type',
    problems({ ...DAY, params: { day: { type: 'money' } } }),
    /params\.day\.type is .*money/,
  ],
  [
    'a default of another type',
    problems({ ...DAY, params: { day: { type: 'date', default: 'yesterday' } } }),
    /params\.day\.default is not of type date; expected a date such as 2025-04-14, or \{run_time-1d\}/,
  ],
  [
    'a default that the parser has changed',
    problems({
      sql: 'select :n as id',
      params: { n: { type: 'int', default: 2 ** 53 } },
    }),
    /params\.n\.default is .*; expected text, a number, true or false/,
  ],
  [
    'a default that is no date any more',
    problems({ ...DAY, params: { day: { type: 'date', default: '{run_time-104000000d}' } } }),
    /params\.day\.default is not of type date/,
  ],
  ...(['upsert', 'difference'] as const).flatMap(syncMode =>
    (['last_success', 'run_time'] as const).map((name): [string, string, RegExp] => [
      `${name} with ${syncMode}, where rows that it leaves out would be removed`,
      problems(
        { sql: `select * from orders where at > :${name}`, params: {} },
        { runType: 'full_then_delta', syncMode },
      ),
      new RegExp(
        `activations\\.out\\.syncMode is ${syncMode}, and models\\.orders has :${name}: .*; expected insert, or runType full_only`,
      ),
    ]),
  ),
  [
    'changeDetection xmin',
    problems(
      { table: 'public.orders', where: 'day = :day', params: DAY.params },
      { runType: 'full_then_delta', syncMode: 'upsert', changeDetection: 'xmin' },
    ),
    /changeDetection is xmin, and models\.orders has parameters, .*; expected auto/,
  ],
  [
    'a limit of sets where there is one baseline',
    problems(DAY, { runType: 'full_then_delta', syncMode: 'insert', maxParameterSets: 5 }),
    /maxParameterSets is set, and there is no baseline for each set of values/,
  ],
  [
    'a schedule without a default',
    problems(DAY, { schedule: [{ every: '1h' }] }),
    /schedule is set, and models\.orders\.params\.day has no default/,
  ],
  [
    'a name that other values share',
    problems(DAY, { fileName: 'orders-{YYYY}' }),
    /fileName would be the same for other values of day, .*; expected \{param\.day\}, or \{run\}/,
  ],
  [
    'an unknown parameter in a name',
    problems(DAY, { fileName: '{param.day}/{param.brand}' }),
    /fileName holds \{param\.brand\}, which is not a parameter of models\.orders; there are \{param\.day\}/,
  ],
  [
    'names of two activations that could meet',
    problems(
      DAY,
      { fileName: 'a/{param.day}' },
      {
        activations: Object.fromEntries(
          ['out', 'other'].map(name => [
            name,
            { model: 'orders', destination: 'lake', fileName: 'a/{param.day}', format: { type: 'csv' } },
          ]),
        ),
      },
    ),
    /could give the same blob/,
  ],
];

for (const [what, found, expected] of REFUSED)
  test(`${what} is refused at load`, () => assert.match(found, expected));

test('a completion file of success lies in the folder that the value of a parameter makes', () => {
  const out = {
    destination: 'lake',
    format: { type: 'csv' },
    completion: { success: '_SUCCESS' },
  };
  const models = {
    orders: { source: 'db', primaryKey: ['id'], ...DAY },
    brands: { source: 'db', primaryKey: ['id'], sql: 'select * from brands' },
  };
  const meets = (fileName: string): string => {
    const byDay = { ...out, model: 'orders', fileName: '{param.day}/orders' };
    return problems({}, {}, { models, activations: { byDay, other: { ...out, model: 'brands', fileName } } });
  };
  assert.match(meets('2025-04-14/brands'), /other\.completion\.success could give the same blob/);
  assert.equal(meets('brands'), '');
  assert.equal(meets('a/b/brands'), '');
});

test('a colon is looked for only where params is declared, and filters of segments count', () => {
  assert.equal(problems({ sql: 'select x[1:y] from t where a = b::text' }), '');
  const segments = { segments: { s: { model: 'orders', where: 'day = :day' } } };
  assert.equal(problems({ sql: 'select 1 as id', params: DAY.params }, {}, segments), '');
  assert.match(
    problems({ sql: 'select 1 as id', params: {} }, {}, segments),
    /segments\.s\.where uses :day, which params does not declare/,
  );
});

test('a mistake in a model is one problem, and none of its activations', () => {
  const activation = { fileName: '{param.day}' };
  const count = (found: string): number =>
    found.split('\n').filter(line => /activations|models/.test(line)).length;
  const ofType = problems({ ...DAY, params: { day: { type: 'money' } } }, activation);
  assert.equal(count(ofType), 1, ofType);
  const segments = { segments: { s: { model: 'orders', where: '' } } };
  const ofFilter = problems({ sql: 'select 1 as id', params: DAY.params }, {}, segments);
  assert.doesNotMatch(ofFilter, /params\.day is not used/);
});

test('texts of types are taken, or refused, and equal values are one text', () => {
  const of = (type: keyof typeof TYPE_FACTS, text: string) => TYPE_FACTS[type].canonical(text);
  assert.deepEqual(
    ['+7', '007', '9223372036854775807', '9223372036854775808', '1.0', ''].map(text => of('int', text)),
    ['7', '7', '9223372036854775807', undefined, undefined, undefined],
  );
  assert.deepEqual(
    ['2025-02-28', '2025-02-29', '25-2-3', 'today'].map(text => of('date', text)),
    ['2025-02-28', undefined, undefined, undefined],
  );
  assert.deepEqual(
    [
      '2025-04-14T09:00:00+02:00',
      '2025-04-14 07:00:00.120000Z',
      '2025-04-14T07:00Z',
      '2025-04-14T07:00:00',
    ].map(text => of('timestamp', text)),
    ['2025-04-14T07:00:00Z', '2025-04-14T07:00:00.12Z', '2025-04-14T07:00:00Z', undefined],
  );
  assert.deepEqual(
    ['12.5', '-.5e3', 'NaN', '1,5'].map(text => of('number', text)),
    ['12.5', '-.5e3', undefined, undefined],
  );
  assert.deepEqual(
    [of('boolean', 'true'), of('boolean', 'yes'), of('text', "it's; --")],
    ['true', undefined, "it's; --"],
  );
});

test('a default may be the time of the run, and so much before it, by the days of a zone', () => {
  const at = (type: 'date' | 'timestamp', text: string, runTime: string, timezone = 'UTC') =>
    defaultValue(type, text, { runTime: new Date(runTime), timezone });
  assert.equal(at('date', '{run_time-1d}', '2025-04-14T07:00:00Z'), '2025-04-13');
  assert.equal(at('date', '{run_time}', '2025-04-13T23:30:00Z', 'Europe/Paris'), '2025-04-14');
  // Half an hour after a day of 23 hours.
  assert.equal(at('date', '{run_time-1d}', '2025-03-30T22:30:00Z', 'Europe/Paris'), '2025-03-30');
  assert.equal(at('timestamp', '{run_time-90m}', '2025-04-14T07:00:00.500Z'), '2025-04-14T05:30:00.5Z');
  assert.equal(at('timestamp', '{run_time-soon}', '2025-04-14T07:00:00Z'), undefined);
  // Farther away than any date that can be written.
  for (const type of ['date', 'timestamp'] as const)
    for (const shift of ['-104000000d', '-800000d', '-19200001h', '+3000000d'])
      assert.equal(at(type, `{run_time${shift}}`, '2025-04-14T07:00:00Z'), undefined, `${type} ${shift}`);
});

test('sets of equal values have one name in any order, all others have others, and each is that of a folder', () => {
  const nameOf = (values: Record<string, string | null>, type: 'text' | 'int' = 'text'): string =>
    parameterSet(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { type, value }])))
      .name;
  assert.equal(nameOf({ a: 'x', b: 'y' }), nameOf({ b: 'y', a: 'x' }));
  const values = ['A b', 'a-b', 'a b', '../../x', '', 'null', null, 'é', 'NUL', 'x'.repeat(500)];
  const names = values.map(value => nameOf({ a: value }));
  names.push(
    nameOf({ a: '', b: 'x' }),
    nameOf({ a: 'x', b: '' }),
    nameOf({ a: '7' }),
    nameOf({ a: '7' }, 'int'),
  );
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^([a-z0-9][a-z0-9-]{0,39}-)?[0-9a-f]{16}$/);
  assert.match(nameOf({ day: '2025-04-14', brand: "it's" }), /^it-s-2025-04-14-[0-9a-f]{16}$/);
});

test('names that JavaScript knows are parameters like others', async () => {
  const params = { constructor: { type: 'int' }, toString: { type: 'int', default: 7 } };
  const model = { sql: 'select :constructor as id, :toString as n', params };
  const { config } = parseConfig({ text: textOf(model), environment: {} });
  const activation = resolveActivation(config, 'out');
  const options = { runTime: new Date(0), lastSuccess: async () => null };
  const bound = await bindParameters(activation, { ...options, given: { constructor: '1' } });
  assert.deepEqual({ ...valuesOf(bound.parameters!) }, { constructor: '1', toString: '7' });
  await assert.rejects(bindParameters(activation, options), { code: 'PARAMETER_INVALID' });
});

test('a run is given values by name, defaults where it has none, and what is built in', async () => {
  const model = {
    sql: 'select * from orders where day = :day and brand = :brand and at between :last_success and :run_time',
    params: { day: { type: 'date', default: '{run_time-1d}' }, brand: { type: 'text' } },
  };
  const { config } = parseConfig({ text: textOf(model), environment: {} });
  const activation = resolveActivation(config, 'out');
  const asked: unknown[] = [];
  const options = {
    runTime: new Date('2025-04-14T07:00:00Z'),
    lastSuccess: async (values: unknown) => {
      asked.push(values);
      return null;
    },
  };
  const bound = await bindParameters(activation, { ...options, given: { brand: 'a' } });
  assert.deepEqual(valuesOf(bound.parameters!), {
    day: '2025-04-13',
    brand: 'a',
    last_success: null,
    run_time: '2025-04-14T07:00:00Z',
  });
  assert.deepEqual(asked, [{ day: '2025-04-13', brand: 'a' }]);
  const refusal = (given: Record<string, string>, message: RegExp): Promise<void> =>
    assert.rejects(bindParameters(activation, { ...options, given }), { code: 'PARAMETER_INVALID', message });
  await refusal({}, /parameter brand of out has no value and no default/);
  await refusal({ brand: 'a', colour: 'b' }, /out takes no parameter "colour"; there are day, brand/);
  await refusal({ brand: 'a', day: '14.4.2025' }, /parameter day of out is "14.4.2025"; expected a date/);
  await refusal({ brand: 'a', run_time: '2025-04-14T07:00:00Z' }, /takes no parameter "run_time"/);
});
