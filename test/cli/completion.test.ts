import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
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

test('bash completes by the script that completion prints, and other shells can read theirs', async t => {
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
  for (const shell of ['zsh', 'fish'])
    await t.test(shell, { skip: spawnSync(shell, ['--version']).error !== undefined }, async () => {
      const file = path.join(folder, shell);
      writeFileSync(file, (await commandLine(['completion', shell])).out);
      execFileSync(shell, ['-n', file]);
    });
});
