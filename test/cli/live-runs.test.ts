import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ServeProcess } from '../daemon/support/serve-process.ts';
import { createProject } from './support.ts';

test('runs and show tell of runs that have not ended, while the daemon is there and after it was killed', async () => {
  const project = await createProject();
  const blocker = await project.database.connect();
  const daemon = await ServeProcess.start(project.cwd);
  try {
    const ended = (await daemon.trigger('whole', 'ended')).body.run;
    await daemon.ended(ended);
    await blocker.query('begin; lock table customers in access exclusive mode');
    const reading = (await daemon.trigger('whole', 'reading')).body.run;
    await daemon.command.until(new RegExp(`"run":"${reading}".*run begins`));
    const queued = (await daemon.trigger('whole', 'queued')).body.run;
    const listed = async (...args: string[]): Promise<string[][]> => {
      const { code, stdout } = await project.run('runs', '--json', ...args);
      assert.equal(code, 0);
      const records = stdout.trimEnd().split('\n');
      return records.map(line => JSON.parse(line)).map(({ run, state }) => [run, state]);
    };
    const all = [
      [queued, 'queued'],
      [reading, 'reading'],
      [ended, 'succeeded'],
    ];
    assert.deepEqual(await listed(), all);
    assert.deepEqual(await listed('whole', '--limit', '2'), all.slice(0, 2));
    const shown = await project.run('show', reading, '--json');
    assert.equal(JSON.parse(shown.stdout).state, 'reading');
    const { stdout } = await project.run('show', queued);
    assert.match(stdout, /^whole: queued \(full; run /, 'it has taken no time yet');

    await daemon.kill();
    const queue = join(project.cwd, '.sluice', 'daemon', 'queue.log');
    appendFileSync(queue, '0123abcd {"put":{"rec');
    assert.deepEqual(await listed(), all, 'a line that is being written is none yet');
    writeFileSync(queue, 'nonsense\n');
    const rest = await project.run('runs', '--json');
    assert.deepEqual([rest.code, JSON.parse(rest.stdout).run], [0, ended]);
    assert.match(rest.stderr, /runs that have not ended are left out/);
    assert.equal((await project.run('show', ended)).code, 0);
    assert.match((await project.run('show', queued)).stderr, /^error STATE_DAMAGED: the queue of the daemon/);
  } finally {
    daemon.command.kill('SIGKILL');
    await blocker.end();
    await project.remove();
  }
});
