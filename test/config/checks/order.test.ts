import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveActivation } from '../../../src/config/activation.ts';
import { loadSnapshot } from '../../../src/config/snapshot.ts';
import { ENVIRONMENT, parse, problems, yaml } from '../support.ts';

const other = (name: string, ...afters: string[]): string =>
  `  ${name}: ${JSON.stringify({ model: 'customers', destination: 'lake', fileName: name, format: { type: 'csv' }, schedule: afters.map(after => ({ after })) })}\n`;
const configOf = (afters: readonly string[], more: string): string =>
  yaml({ schedule: afters.map(after => ({ after })) }, more);

test('an activation may come after others', () => {
  parse(configOf(['one', 'two'], other('one') + other('two', 'one')));
});

test('what it comes after is an activation that there is', () => {
  const [found = ''] = problems(configOf(['on'], other('one')));
  assert.match(
    found,
    /activations\.export\.schedule\[0\]\.after is "on", which is not among activations.*one/,
  );
});

test('nothing comes after itself, directly or through others', () => {
  assert.match(problems(configOf(['export'], '')).join(), /makes a circle.*: export after export$/);
  const found = problems(configOf(['two'], other('one', 'export') + other('two', 'one')));
  assert.equal(found.length, 3);
  assert.match(found[0]!, /schedule\[0\]\.after makes a circle.*: export after two after one after export$/);
});

test('an entry is of one kind', () => {
  const [found = ''] = problems(yaml({ schedule: [{ after: 'one', every: '1h' }] }, other('one')));
  assert.match(found, /schedule\[0\]/);
});

test('the part of the configuration that a run is given names no other activation', () => {
  const loaded = parse(yaml({ schedule: [{ after: 'one' }, { every: '1h' }] }, other('one')));
  const { config } = loadSnapshot(loaded.snapshotOf('export').reveal(), ENVIRONMENT);
  assert.deepEqual(resolveActivation(config, 'export').schedule, [{ everyMs: 3_600_000 }]);
});
