import assert from 'node:assert/strict';
import test from 'node:test';
import { azureError, type BlobRequest } from '../../support/blob-proxy.ts';
import { ended, eventOf, request, withWorld } from '../support/daemon-world.ts';
import { MemoryLog } from '../support/memory-log.ts';

const STEPS: readonly (readonly [string, string, (request: BlobRequest) => boolean])[] = [
  ['before it reads', 'connecting', ({ blob }) => blob?.includes('access-check') === true],
  ['while it stages', 'reading', ({ comp }) => comp === 'block'],
];

for (const [when, phase, concerned] of STEPS) {
  test(`the log says that a run waits for its destination ${when}, and that it goes on`, () =>
    withWorld({}, async world => {
      const proxy = await world.blobProxy();
      let isBusy = true;
      proxy.setHook(seen => (isBusy && concerned(seen) ? azureError(503, 'ServerBusy') : undefined));
      const log = new MemoryLog();
      const daemon = await world.start({ log });
      const { run } = (await daemon.trigger(request('one'))).record;
      const event = await eventOf(
        daemon,
        run,
        seen => seen.type === 'progress' && seen.progress.waiting !== undefined,
      );
      assert.equal(event.type === 'progress' && event.progress.phase, phase);

      const waits = await log.until(({ message }) => message.startsWith('run waits'));
      assert.match(
        waits.message,
        /^run waits: the storage account answers 503 ServerBusy; trying again until \d\d:\d\d:\d\d UTC$/,
      );
      assert.deepEqual([waits.level, waits.fields], ['warn', { run, activation: 'one' }]);
      isBusy = false;
      assert.equal((await ended(daemon, run)).state, 'succeeded');
      const told = log.messages().filter(message => /^run (waits|goes on)/.test(message));
      assert.equal(told[1], 'run goes on: the destination answers again');
      assert.equal(told.length, 2);
    }));
}
