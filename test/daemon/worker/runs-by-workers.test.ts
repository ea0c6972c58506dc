import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runDescription } from '../../../src/cli/terminal/run-description.ts';
import { Terminal } from '../../../src/cli/terminal/terminal.ts';
import { QueueWorld, ROWS, SLICES } from './support/queue-world.ts';

const SILENT = { write: () => true };

let world: QueueWorld;
before(async () => {
  world = await QueueWorld.open({ first: {} });
});
after(() => world.close());

test('a run of the daemon is read by workers, and is a run like any other', async () => {
  const daemon = await world.serve();
  const workers = [await world.worker(), await world.worker()];
  const { status, body: accepted } = await daemon.trigger('first', 'one');
  assert.equal(status, 202);
  const record = await daemon.ended(accepted.run);
  assert.equal(record.state, 'succeeded', JSON.stringify(record));
  assert.equal(record.run, accepted.run);
  assert.equal(record.trigger, 'http');
  assert.equal(record.attempt, 1);
  assert.equal(record.counts.written, ROWS);
  assert.equal(record.slices?.count, SLICES);
  const names = record.slices.workers!.map(({ name }) => name);
  assert.ok(
    names.every(name => workers.some(worker => worker.name === name)),
    names.join(),
  );
  assert.equal(
    record.slices.workers!.reduce((sum, { slices }) => sum + slices, 0),
    SLICES,
  );
  assert.deepEqual(await world.publishedIds('first'), world.allIds);
  const manifest = await world.manifest('first');
  assert.equal(manifest['run'], record.run);
  assert.equal(manifest['trigger'], 'http');
  const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
  assert.match(metrics, new RegExp(`^sluice_slices_total\\{activation="first"\\} ${SLICES}$`, 'm'));
  assert.doesNotMatch(metrics, /^sluice_slices\{/m);
  const text = runDescription(record, new Terminal(SILENT, SILENT));
  assert.match(text, /read in 2 slices, each in a snapshot of its own by \S+:\d+ \(\d\)/);
  const again = await daemon.trigger('first', 'one');
  assert.equal(again.body.run, accepted.run);
  for (const { command } of workers) {
    command.kill('SIGTERM');
    assert.equal((await command.ended).code, 0);
  }
  assert.equal((await daemon.stop()).code, 0);
});
