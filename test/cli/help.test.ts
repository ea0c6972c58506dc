import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { sluice } from './support.ts';

const cwd = tmpdir();
const BUILT = [
  'init',
  'demo',
  'validate',
  'preview',
  'run',
  'serve',
  'runs',
  'show',
  'state',
  'verify',
  'schema',
  'help',
];

test('help lists every command', async () => {
  const { code, stdout, stderr } = await sluice(['help'], { cwd });
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const name of BUILT) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
  assert.match(stdout, /75 {3}failed and worth another try/);
});

test('wrong usage is one line and ends with 2', async () => {
  const wrong = [
    ['run'],
    ['run', 'x', '--fast'],
    ['walk'],
    ['preview', 'x', '--rows', '0'],
    ['init', 'x'],
    ['serve', '--port', 'x'],
    ['serve', '--log', 'xml'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await sluice(args, { cwd });
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^error USAGE: .*; see `sluice help`\n$/);
  }
  const nothing = await sluice([], { cwd });
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /^Usage: sluice/);
});

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await sluice(['--version'], { cwd }), {
    code: 0,
    signal: null,
    stdout: `${version}\n`,
    stderr: '',
  });
});

test('schema prints the JSON Schema of the configuration', async () => {
  const { code, stdout } = await sluice(['schema'], { cwd });
  assert.equal(code, 0);
  const schema = JSON.parse(stdout);
  assert.equal(schema.title, 'sluice.yaml');
  assert.ok(schema.properties.activations);
});

test('a configuration that is missing is named, with what to do', async () => {
  const { code, stderr } = await sluice(['run', 'x', '--config', '/nonexistent/sluice.yaml'], { cwd });
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^error CONFIG_NOT_FOUND: the configuration \/nonexistent\/sluice\.yaml cannot be read \(ENOENT\); name the file with --config/,
  );
});
