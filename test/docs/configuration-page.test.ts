import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Ajv } from 'ajv';
import { configReference } from '../../docs/reference/configuration-page.ts';
import { configJsonSchema, type JsonSchema, secretPaths } from '../../src/config/schema/json-schema.ts';

function* keysOf(schema: JsonSchema, path = ''): Generator<[path: string, schema: JsonSchema]> {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    yield [`${path}.${key}`, child];
    yield* keysOf(child, `${path}.${key}`);
  }
  const items = schema.items === undefined ? [] : ([schema.items].flat() as JsonSchema[]);
  const more = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  // Beside keys they say which of the keys go together.
  const choices = schema.properties === undefined ? [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])] : [];
  for (const child of [...choices, ...items, ...more]) yield* keysOf(child, path);
}

test('the committed reference page is the one that the schema gives', () => {
  const page = readFileSync(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8');
  assert.equal(page, configReference(), 'run: npx tsx docs/reference/generate.ts');
});

test('every key is described, in the JSON Schema and on the page', () => {
  const page = configReference();
  const keys = [...keysOf(configJsonSchema())];
  assert.ok(keys.length > 100);
  for (const [path, schema] of keys) {
    assert.ok(schema.description, `${path} has no description`);
    const key = path.slice(path.lastIndexOf('.') + 1);
    assert.ok(page.includes(`| \`${key}\` | `), `${path} is not on the page`);
  }
});

test('the JSON Schema has defaults, refuses unknown keys and asks for model or segment', () => {
  const schema = configJsonSchema();
  const activation = schema.properties?.['activations']?.additionalProperties as JsonSchema;
  assert.equal(activation.properties?.['stateMemory']?.default, '512MiB');
  assert.equal(activation.properties?.['runType']?.default, 'full_only');
  assert.equal(activation.additionalProperties, false);
  const validate = new Ajv().compile(activation as object);
  const named = { destination: 'lake', fileName: 'x', format: { type: 'csv' } };
  for (const [given, isValid] of [
    [{ model: 'm' }, true],
    [{ segment: 's' }, true],
    [{ model: 'm', segment: 's' }, false],
    [{}, false],
  ] as const) {
    assert.equal(validate({ ...named, ...given }), isValid, JSON.stringify(given));
  }
  assert.deepEqual(schema.required, ['version']);
  assert.doesNotThrow(() => JSON.stringify(schema));
});

test('a validator in strict mode takes the JSON Schema, without formats or keywords of its own', () => {
  new Ajv({ strict: true }).compile(configJsonSchema() as object);
});

test('a value with a unit that is mistyped is told its text, not the number that may stand in its place', () => {
  const activation = configJsonSchema().properties?.['activations']?.additionalProperties as JsonSchema;
  const withUnits = [...keysOf(activation)].filter(([, { title }]) => /^(size|duration)/.test(title ?? ''));
  assert.ok(withUnits.length > 5);
  // Editors report what the first of several choices has against a value.
  for (const [path, { anyOf }] of withUnits) assert.equal(anyOf?.[0]?.type, 'string', path);
});

test('the schema marks every key that holds a secret', () => {
  assert.deepEqual(
    secretPaths()
      .map(path => path.join('.'))
      .sort(),
    [
      'activations.*.notify.*.headers.*',
      'activations.*.notify.*.secret',
      'activations.*.notify.*.webhook',
      'daemon.smtp.password',
      'daemon.tokens.*.token',
      'daemon.tokens.read.*',
      'daemon.tokens.write.*',
      'destinations.*.auth.accountKey',
      'destinations.*.auth.connectionString',
      'destinations.*.auth.sasToken',
      'queue.url',
      'sources.*.password',
      'sources.*.sslpassword',
      'sources.*.url',
    ],
  );
});
