import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { noPseudoTerminal, PseudoTerminal } from '../support/pseudo-terminal.ts';
import { commandLine } from './command-line.ts';
import { createProject } from './support.ts';

test('completion offers commands, options, activations, ids of runs, codes and choices, by what stands before', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const config = path.join(project.cwd, 'sluice.yaml');
  await commandLine(['--config', config, 'run', 'whole']);
  /** What may stand in place of the last word. */
  const offered = async (...words: string[]): Promise<string[]> => {
    const line = ['sluice', '--config', config, ...words];
    const { code, out, err } = await commandLine(['complete', String(line.length - 1), '--', ...line]);
    assert.deepEqual([code, err], [0, '']);
    return out.split('\n').filter(word => word !== '');
  };
  assert.deepEqual(await offered('sta'), ['status', 'state']);
  assert.ok(!(await offered('')).includes('complete'));
  assert.deepEqual(await offered('state', 'back'), ['backup', 'backups']);
  assert.deepEqual(await offered('run', 'w'), ['whole']);
  assert.deepEqual(await offered('run', 'whole', 'w'), ['whole']);
  assert.deepEqual(await offered('state', 'show', ''), ['whole']);
  assert.deepEqual(await offered('preview', '--rows', '3', ''), ['whole']);
  assert.deepEqual(await offered('preview', '--rows', ''), []);
  assert.deepEqual(await offered('run', '--allow'), ['--allow-removals']);
  assert.deepEqual(await offered('run', '--q'), ['--quiet']);
  assert.deepEqual(await offered('serve', '--log', ''), ['pretty', 'json']);
  assert.deepEqual(await offered('explain', 'STATE_LOC'), ['STATE_LOCKED']);
  assert.deepEqual(await offered('completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(await offered('help', 'doc'), ['doctor']);
  const [run] = (await commandLine(['--config', config, 'runs', '--json'])).json<{ run: string }>();
  assert.deepEqual(await offered('show', run!.run.slice(0, 8)), [run!.run]);
  assert.deepEqual(await offered('verify', run!.run, ''), ['whole']);
});

test('without a configuration completion offers what it can, and never an error', async () => {
  const line = ['sluice', '--config', '/nonexistent', 'run', ''];
  const { out, err } = await commandLine(['complete', '4', '--', ...line]);
  assert.deepEqual([out, err], ['', '']);
});

test('bash completes by the script that completion prints', async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-completion-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = path.join(folder, 'completion.bash');
  writeFileSync(script, (await commandLine(['completion', 'bash'])).out);
  const asked = `
    sluice() { printf '%s\\n' "$@" > "${folder}/asked"; printf 'run\\nruns\\n'; }
    source ${script}
    COMP_WORDS=(sluice ru); COMP_CWORD=1; _sluice; printf '%s|' "\${COMPREPLY[@]}"; complete -p sluice; cat ${folder}/asked`;
  const answered = execFileSync('bash', ['-c', asked], { encoding: 'utf8' });
  assert.equal(answered, 'run|runs|complete -o default -F _sluice sluice\ncomplete\n1\n--\nsluice\nru\n');
});

const missing = (shell: string): string | false =>
  spawnSync(shell, ['--version']).error === undefined ? false : `${shell} is not installed`;

async function scriptOf(shell: string, name: string): Promise<{ folder: string; script: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-completion-'));
  const script = path.join(folder, name);
  writeFileSync(script, (await commandLine(['completion', shell])).out);
  return { folder, script };
}

test('fish completes by the script that completion prints', { skip: missing('fish') }, async t => {
  const { folder, script } = await scriptOf('fish', 'sluice.fish');
  t.after(() => rmSync(folder, { recursive: true }));
  const asked = `
    function sluice; printf '%s\\n' $argv > ${folder}/asked; printf 'run\\nruns\\n'; end
    source ${script}; complete -C 'sluice state ru'`;
  const answered = execFileSync('fish', ['--no-config', '-c', asked], { encoding: 'utf8' });
  assert.equal(answered, 'run\nruns\n');
  assert.equal(readFileSync(`${folder}/asked`, 'utf8'), 'complete\n2\n--\nsluice\nstate\nru\n');
});

test('zsh completes by the script that completion prints, sourced or as a file of fpath', {
  skip: missing('zsh') || noPseudoTerminal(),
}, async t => {
  const { folder } = await scriptOf('zsh', '_sluice');
  const terminal = new PseudoTerminal(['zsh', '-f', '-i'], { cwd: folder });
  t.after(async () => {
    await terminal.hangUp();
    rmSync(folder, { recursive: true });
  });
  const completes = async (word: string): Promise<void> => {
    terminal.type(`sluice run ${word}\t`);
    // What was typed is on the screen already.
    await terminal.shows('_run');
    terminal.type('\u0003');
    const asked = readFileSync(path.join(folder, 'asked'), 'utf8');
    assert.equal(asked, `complete\n2\n--\nsluice\nrun\n${word}\n`);
  };
  const stub = 'sluice() { print -l -- "$@" > asked; print whole_run; }';
  terminal.type(`autoload -Uz compinit; compinit -u -D; ${stub}; source ./_sluice; PS1=; print rea''dy\r`);
  await terminal.shows('ready');
  await completes('who');
  // As compinit does with a file that begins with #compdef.
  terminal.type(
    "unfunction _sluice; fpath=(. $fpath); autoload -Uz _sluice; compdef _sluice sluice; print aga''in\r",
  );
  await terminal.shows('again');
  await completes('wh');
});
