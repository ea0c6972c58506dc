import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as passed } from 'node:timers/promises';
import { ServeProcess } from '../daemon/support/serve-process.ts';
import { createProject, type TestProject } from './support.ts';

async function withProject(act: (project: TestProject) => Promise<void>): Promise<void> {
  const project = await createProject();
  try {
    await act(project);
  } finally {
    await project.remove();
  }
}

test('serve listens where it says, makes runs, and ends with 0 when it is told to', () =>
  withProject(async project => {
    const daemon = await ServeProcess.start(project.cwd);
    try {
      assert.match(daemon.url, /^http:\/\/127\.0\.0\.1:\d+$/);
      const { status, body } = await daemon.trigger('whole', 'monday');
      assert.equal(status, 202);
      assert.equal((await daemon.ended(body.run)).state, 'succeeded');
      const shown = await project.run('runs', '--json');
      assert.equal(JSON.parse(shown.stdout).run, body.run);
      const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
      assert.match(metrics, /^sluice_runs_total\{activation="whole",state="succeeded"\} 1$/m);
      const second = await project.run('serve', '--port', '0');
      assert.equal(second.code, 75);
      assert.match(second.stderr, /^error STATE_LOCKED: another daemon serves /);
      const ended = await daemon.stop();
      assert.equal(ended.code, 0);
      assert.equal(ended.stderr, '');
      for (const line of ended.stdout.trimEnd().split('\n')) assert.ok(JSON.parse(line).message, line);
      assert.ok(!ended.stdout.includes(project.container.accountKey));
    } finally {
      daemon.command.kill('SIGKILL');
    }
  }));

test('SIGHUP brings in a new configuration, and a bad one changes nothing', () =>
  withProject(async project => {
    const daemon = await ServeProcess.start(project.cwd);
    try {
      const path = join(project.cwd, 'sluice.yaml');
      const good = readFileSync(path, 'utf8');
      writeFileSync(path, good.replace('destination: lake', 'destination: nowhere'));
      daemon.command.kill('SIGHUP');
      await daemon.command.until(/configuration was refused/);
      const { body } = await daemon.trigger('whole', 'one');
      assert.equal((await daemon.ended(body.run)).state, 'succeeded');
      writeFileSync(path, good.replace('  whole:', '  renamed:'));
      daemon.command.kill('SIGHUP');
      await daemon.command.until(/configuration reloaded/);
      assert.equal((await daemon.trigger('whole', 'two')).status, 404);
      assert.equal((await daemon.trigger('renamed', 'three')).status, 202);
    } finally {
      await daemon.stop();
    }
  }));

test('a second signal ends the daemon at once, and its runs with it', () =>
  withProject(async project => {
    const blocker = await project.database.connect();
    await blocker.query('begin; lock table customers in access exclusive mode');
    const daemon = await ServeProcess.start(project.cwd);
    try {
      await daemon.trigger('whole', 'one');
      const pid = await runPid(daemon);
      daemon.command.kill('SIGTERM');
      await daemon.command.until(/"message":"stopping"/);
      daemon.command.kill('SIGTERM');
      assert.equal((await daemon.command.ended).code, 130);
      // Its output ends only when its processes, which write to the same log through it,
      // have gone.
      const deadline = Date.now() + 30_000;
      while (isAlive(pid) && Date.now() < deadline) await passed(20);
      assert.equal(isAlive(pid), false);
    } finally {
      await blocker.end();
      daemon.command.kill('SIGKILL');
    }
  }));

test('runs have their memory in large pages, unless the daemon was told how its memory is to be', t => {
  if (!existsSync('/proc/self/environ')) return t.skip('no /proc here');
  return withProject(async project => {
    const blocker = await project.database.connect();
    await blocker.query('begin; lock table customers in access exclusive mode');
    try {
      for (const own of [undefined, 'glibc.malloc.check=0']) {
        const daemon = await ServeProcess.start(
          project.cwd,
          own === undefined ? {} : { GLIBC_TUNABLES: own },
        );
        try {
          await daemon.trigger('whole', 'one');
          const pid = await runPid(daemon);
          const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
          assert.ok(variables.includes(`GLIBC_TUNABLES=${own ?? 'glibc.malloc.hugetlb=1'}`));
        } finally {
          daemon.command.kill('SIGKILL');
        }
      }
    } finally {
      await blocker.end();
    }
  });
});

async function runPid({ command }: ServeProcess): Promise<number> {
  await command.until(/run begins/);
  return Number(/"pid":(\d+)/.exec(command.printed().stdout)![1]);
}

test('serve refuses a bad configuration, and an address that others reach without a token', () =>
  withProject(async project => {
    const open = await project.run('serve', '--port', '0', '--host', '0.0.0.0');
    assert.equal(open.code, 2);
    assert.match(open.stderr, /^error CONFIG_INVALID: .*token/);
    project.configure('version: 2\n');
    assert.equal((await project.run('serve')).code, 2);
  }));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
