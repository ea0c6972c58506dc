import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveState } from '../../../src/config/resolve-state.ts';
import { parse, problems, yaml } from '../support.ts';

const stateOf = (state: Record<string, unknown>): string => yaml({}, `state: ${JSON.stringify(state)}`);

test('state is below the folder of a destination, or in a folder that is said to be shared', () => {
  const there = resolveState(parse(stateOf({ destination: 'lake' })).config);
  assert.equal(there?.destination && there.prefix, 'state/');
  const named = resolveState(parse(stateOf({ destination: 'lake', folder: 'of/sluice' })).config);
  assert.equal(named?.destination && named.prefix, 'of/sluice/');
  assert.deepEqual(resolveState(parse(stateOf({ folder: '/mnt/x', shared: true })).config), {
    path: '/mnt/x',
  });
  assert.equal(resolveState(parse(yaml()).config), undefined);
});

test('a state that several machines cannot share is refused', () => {
  const refused = (state: Record<string, unknown>): string => problems(stateOf(state)).join('\n');
  assert.match(refused({}), /^state names no place; expected destination .* shared: true$/);
  assert.match(refused({ folder: '/mnt/x' }), /^state\.folder is a folder of this machine .* shared: true/);
  assert.match(refused({ folder: '/mnt/x', shared: false }), /^state\.shared .*true/);
  assert.match(refused({ destination: 'lake', shared: true }), /^state\.shared is for a folder/);
  assert.match(refused({ destination: 'lak' }), /^state\.destination is "lak", .*lake/);
  assert.match(
    refused({ destination: 'lake', folder: '../x' }),
    /^state\.folder is "\.\.\/x"; a folder must/,
  );
  assert.match(refused({ destination: 'lake', fodler: 'x' }), /state.*fodler/);
});

test('a folder of this machine is refused as state', () => {
  const local = '  local: { type: folder, path: ./out }\n';
  const text = stateOf({ destination: 'local' }).replace('destinations:\n', `destinations:\n${local}`);
  assert.match(problems(text).join(), /^state\.destination is a folder; expected one that every machine/);
});

test('names of files cannot meet the blobs of state', () => {
  const meeting = (fileName: string, folder?: string): string[] =>
    problems(
      yaml(
        { fileName, format: { type: 'json' } },
        `state: ${JSON.stringify({ destination: 'lake', ...(folder && { folder }) })}`,
      ),
    );
  assert.match(
    meeting('state/plans/{YYYY}').join(),
    /^activations\.export\.fileName could give the same blob as state\.destination/,
  );
  assert.match(meeting('own/plans/x.json.slices/y', 'own').join(), /the same blob as state\.folder/);
  parse(yaml({ fileName: 'state/{YYYY}' }, 'state: { destination: lake }'));
  parse(yaml({ fileName: 'state/plans/{YYYY}' }, 'state: { destination: lake }'));
});
