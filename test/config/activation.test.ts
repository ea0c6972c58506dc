import assert from 'node:assert/strict';
import test from 'node:test';
import { type ResolvedActivation, resolveActivation } from '../../src/config/activation.ts';
import { Secret } from '../../src/config/secrets.ts';
import type { SluiceError } from '../../src/errors.ts';
import { parse, yaml } from './support.ts';

function resolved(activation: Record<string, unknown> = {}): ResolvedActivation {
  return resolveActivation(parse(yaml(activation)).config, 'export');
}

test('looks names up, fills defaults in and makes units plain', () => {
  const activation = resolved({
    model: undefined,
    segment: 'french',
    maxFileSize: '1GiB',
    timestampOffset: '-1d',
    schedule: [{ every: '15m' }],
    warnings: { durationOver: '30m' },
  });
  assert.equal(activation.name, 'export');
  assert.equal(activation.where, "country = 'FR'");
  assert.equal(activation.segmentName, 'french');
  assert.deepEqual(activation.model, { name: 'customers', sql: 'select 1 as id', primaryKey: ['id'] });
  assert.equal(activation.source.name, 'warehouse');
  assert.ok(activation.source.type === 'postgres' && activation.source.url instanceof Secret);
  assert.equal(activation.source.type === 'postgres' && activation.source.connectTimeoutMs, 10_000);
  assert.equal(activation.source.type === 'postgres' && activation.source.inactivityTimeoutMs, 1_800_000);
  assert.equal(activation.destination.name, 'lake');
  assert.equal(activation.destination.folder, '');
  assert.equal(activation.maxFileBytes, 2 ** 30);
  assert.equal(activation.stateMemoryBytes, 512 * 2 ** 20);
  assert.equal(activation.timestampOffsetMs, -86_400_000);
  assert.deepEqual(activation.schedule, [{ everyMs: 900_000 }]);
  assert.equal(activation.warnings.durationOverMs, 1_800_000);
  assert.equal(activation.format.type === 'csv' && activation.format.delimiter, ',');
  assert.equal(activation.mapping, undefined);
  assert.ok(!('maxFileSize' in activation));
});

test('is frozen at every depth', () => {
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    assert.ok(Object.isFrozen(value), path);
    for (const [key, child] of Object.entries(value)) walk(child, `${path}.${key}`);
  };
  walk(resolved({ mapping: ['a', { from: 'b', to: 'c' }], blob: { tags: { a: 'b' } } }), 'activation');
});

test('blob properties of the activation win over those of the destination, name by name', () => {
  const text = yaml({ blob: { cacheControl: 'no-store', metadata: { b: '2' } } }).replace(
    'container: exports',
    'container: exports\n    blob: { cacheControl: max-age=1, contentType: a/b, metadata: { a: "1", b: "1" } }',
  );
  assert.deepEqual(resolveActivation(parse(text).config, 'export').blob, {
    cacheControl: 'no-store',
    contentType: 'a/b',
    metadata: { a: '1', b: '2' },
  });
});

test('an unknown name is answered by the known ones', () => {
  for (const name of ['exprot', 'toString', '']) {
    assert.throws(
      () => resolveActivation(parse(yaml()).config, name),
      (error: SluiceError) => error.code === 'NAME_UNKNOWN' && /there are: export/.test(error.message),
    );
  }
});
