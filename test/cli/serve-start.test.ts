import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { createProject, type RunningCommand, type TestProject } from './support.ts';

interface SlowStart {
  readonly project: TestProject;
  readonly daemon: RunningCommand;
  readonly url: string;
  /** Lets the daemon read what the last one left. */
  release(): Promise<void>;
}

/**
 * A daemon that listens, and has to wait for its disk: the queue of the last one is a
 * pipe that nobody writes to yet.
 */
async function withSlowStart(act: (start: SlowStart) => Promise<void>): Promise<void> {
  const project = await createProject();
  const queue = join(project.cwd, '.sluice', 'daemon', 'queue.log');
  mkdirSync(join(queue, '..'), { recursive: true });
  execFileSync('mkfifo', [queue]);
  const daemon = project.start('serve', '--port', '0', '--log', 'json');
  try {
    await daemon.until(/"message":"listening on/);
    const url = /"url":"([^"]+)"/.exec(daemon.printed().stdout)![1]!;
    const release = async (): Promise<void> => (await open(queue, 'w')).close();
    await act({ project, daemon, url, release });
  } finally {
    daemon.kill('SIGKILL');
    await daemon.ended;
    await project.remove();
  }
}

test('a daemon that still reads lives, is not ready, and asks to come again', () =>
  withSlowStart(async ({ project, daemon, url, release }) => {
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    const readiness = await fetch(`${url}/readyz`);
    assert.equal(readiness.status, 503);
    assert.equal(((await readiness.json()) as { state: string }).state, 'starting');
    for (const [method, path] of [
      ['POST', '/v1/activations/whole/runs'],
      ['GET', '/v1/runs'],
      ['GET', '/v1/runs/20260601-000000-000-000001/events'],
      ['POST', '/v1/reload'],
      ['GET', '/metrics'],
    ] as const) {
      const answer = await fetch(`${url}${path}`, { method });
      assert.equal(answer.status, 503, path);
      assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/, path);
      const { error } = (await answer.json()) as { error: { code: string; retryable: boolean } };
      assert.deepEqual([error.code, error.retryable], ['STARTING', true], path);
    }
    const other = await project.run('serve', '--port', '0');
    assert.equal(other.code, 75);
    assert.match(other.stderr, /^error STATE_LOCKED: another daemon serves /);

    await release();
    await daemon.until(/"message":"ready"/);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    const triggered = await fetch(`${url}/v1/activations/whole/runs`, { method: 'POST' });
    assert.equal(triggered.status, 202);
    daemon.kill('SIGTERM');
    assert.equal((await daemon.ended).code, 0);
  }));

test('a daemon that is told to stop while it starts ends as one that was stopped, and begins nothing', () =>
  withSlowStart(async ({ project, daemon, release }) => {
    daemon.kill('SIGTERM');
    await daemon.until(/told to stop/);
    await release();
    const { code, stdout, stderr } = await daemon.ended;
    assert.deepEqual([code, stderr], [0, '']);
    assert.doesNotMatch(stdout, /"message":"ready"/);
    const next = project.start('serve', '--port', '0', '--log', 'json');
    await next.until(/"message":"ready"/);
    next.kill('SIGTERM');
    assert.equal((await next.ended).code, 0);
  }));

test('a wish to reload that comes during the start is met after it', () =>
  withSlowStart(async ({ project, daemon, release }) => {
    const path = join(project.cwd, 'sluice.yaml');
    writeFileSync(path, readFileSync(path, 'utf8').replace('  whole:', '  renamed:'));
    daemon.kill('SIGHUP');
    await release();
    await daemon.until(/"message":"configuration reloaded"/);
    assert.match(daemon.printed().stdout, /"added":\["renamed"\]/);
    daemon.kill('SIGTERM');
    assert.equal((await daemon.ended).code, 0);
  }));
