import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { commandLine } from './command-line.ts';
import { sluice } from './support.ts';

const cwd = tmpdir();
const BUILT = [
  'init',
  'demo',
  'validate',
  'config',
  'doctor',
  'explain',
  'status',
  'pause',
  'resume',
  'preview',
  'run',
  'begin',
  'slice',
  'finalise',
  'activations',
  'serve',
  'runs',
  'show',
  'state',
  'verify',
  'schema',
  'completion',
  'help',
];

test('help lists every command', async () => {
  const { code, stdout, stderr } = await sluice(['help'], { cwd });
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const name of BUILT) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
  assert.match(stdout, /75 {3}failed and worth another try/);
});

test('wrong usage is one line that names the right help, and ends with 2', async () => {
  const wrong: [args: string[], message: RegExp, help: string][] = [
    [['run'], /missing argument 'NAME': .* --all/, 'help run'],
    [['run', 'x', '--all'], /--all stands beside names/, 'help run'],
    [['run', 'x', '--fast'], /unknown option '--fast'/, 'help run'],
    [['walk'], /unknown command 'walk'/, 'help'],
    [['help', 'walk'], /unknown command 'walk'/, 'help'],
    [['help', 'state', 'backpu'], /unknown command 'state backpu'/, 'help'],
    [['preview', 'x', '--rows', '0'], /from 1 to 10000/, 'help preview'],
    [['preview'], /missing required argument 'NAME'/, 'help preview'],
    [['init', 'x'], /too many arguments/, 'help init'],
    [['serve', '--port', 'x'], /from 0 to 65535/, 'help serve'],
    [['serve', '--log', 'xml'], /choices are pretty, json/, 'help serve'],
    [['state', 'show'], /missing required argument 'NAME'/, 'help state show'],
    [['state', 'restore', 'x', '--backpu', 'y'], /unknown option '--backpu'/, 'help state restore'],
    [['state', 'walk'], /unknown command 'walk'/, 'help state'],
  ];
  for (const [args, message, help] of wrong) {
    const { code, stdout, stderr } = await sluice(args, { cwd });
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, new RegExp(`^error USAGE: [^\\n]*; see \`sluice ${help}\`\\n$`), args.join(' '));
    assert.match(stderr, message);
  }
  const nothing = await sluice([], { cwd });
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /^Usage: sluice/);
});

test('help of a command, and of a command of a command, is its own', async () => {
  for (const [args, usage] of [
    [['help', 'run'], /^Usage: sluice run \[options\] \[NAME\.\.\.\]/],
    [['help', 'state'], /^Usage: sluice state \[options\] \[command\]/],
    [['help', 'state', 'backup'], /^Usage: sluice state backup \[options\] <NAME>/],
  ] as const) {
    const { code, stdout } = await sluice(args, { cwd });
    assert.equal(code, 0);
    assert.match(stdout, usage);
  }
});

test('help of each command ends with examples, whose commands and options there are', async () => {
  const helpOf = async (words: readonly string[]): Promise<string> =>
    (await commandLine(['help', ...words])).out;
  const global = await helpOf([]);
  const groups = BUILT.filter(name => name !== 'help').map(name => [name]);
  const state = ['show', 'reset', 'backup', 'backups', 'restore'].map(name => ['state', name]);
  for (const words of [...groups.filter(([name]) => name !== 'state'), ...state]) {
    const help = await helpOf(words);
    const [, examples = ''] = help.split('\nExamples:\n');
    const lines = examples
      .trim()
      .split('\n')
      .map(line => line.trim());
    assert.ok(lines.length > 0 && lines[0] !== '', words.join(' '));
    for (const line of lines) {
      assert.match(line, new RegExp(`^sluice (?:--config \\S+ )?${words.join(' ')}(?: |$)`));
      for (const [option] of line.matchAll(/--[a-z-]+/g))
        assert.ok(help.includes(option) || global.includes(option), `${line}: ${option}`);
    }
  }
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
