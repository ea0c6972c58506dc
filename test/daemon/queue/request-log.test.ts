import assert from 'node:assert/strict';
import {
  appendFileSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { type AcceptedRun, RequestLog } from '../../../src/daemon/queue/request-log.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { someOf } from '../../support/all-cases.ts';

function withFolder(act: (path: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-queue-'));
    try {
      await act(join(folder, 'queue.log'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

const accepted = (run: string, more: object = {}): AcceptedRun => ({
  record: { run, activation: 'a', ...more } as RunRecord,
});
const namesOf = (log: RequestLog): string[] => log.runs.map(({ record }) => record.run);

test(
  'what was put and not dropped is there again, in its order and as it was put last',
  withFolder(async path => {
    const log = await RequestLog.open(path);
    await Promise.all([log.put(accepted('1')), log.put(accepted('2')), log.put(accepted('3'))]);
    await log.put({ ...accepted('1', { attempt: 2 }), cancelled: true });
    await log.drop('2');
    await log.close();
    const again = await RequestLog.open(path);
    assert.deepEqual(again.runs, [{ ...accepted('1', { attempt: 2 }), cancelled: true }, accepted('3')]);
    await again.close();
  }),
);

test(
  'a line that was cut short is left out, wherever it was cut, and all before it are there',
  withFolder(async path => {
    const log = await RequestLog.open(path);
    for (const run of ['1', '2', '3']) await log.put(accepted(run, { trigger: 'ü' }));
    await log.close();
    const whole = readFileSync(path);
    const lengths = whole
      .toString()
      .split('\n')
      .map(line => Buffer.byteLength(line) + 1);
    const twoLines = lengths[0]! + lengths[1]!;
    for (let size = twoLines; size < whole.length; size++) {
      writeFileSync(path, whole);
      truncateSync(path, size);
      const cut = await RequestLog.open(path);
      assert.deepEqual(namesOf(cut), ['1', '2'], `cut at ${size}`);
      // What comes next must not be glued to what was cut.
      await cut.put(accepted('4'));
      await cut.close();
      const next = await RequestLog.open(path);
      assert.deepEqual(namesOf(next), ['1', '2', '4']);
      await next.close();
    }
  }),
);

test(
  'what is appended is on disk when the write has ended: the file is opened so',
  { skip: process.platform !== 'linux' },
  withFolder(async path => {
    const log = await RequestLog.open(path);
    const descriptor = readdirSync('/proc/self/fd').find(name => isLinkTo(`/proc/self/fd/${name}`, path));
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1];
    assert.equal(Number.parseInt(flags!, 8) & constants.O_DSYNC, constants.O_DSYNC);
    await log.close();
  }),
);

function isLinkTo(link: string, path: string): boolean {
  try {
    return readlinkSync(link) === path;
  } catch {
    // Closed since the folder was read.
    return false;
  }
}

test(
  'a line in the midst that was changed makes the log damaged rather than shorter',
  withFolder(async path => {
    const log = await RequestLog.open(path);
    for (const run of ['1', '2', '3']) await log.put(accepted(run));
    await log.close();
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"run":"2"', '"run":"9"'));
    await assert.rejects(RequestLog.open(path), { code: 'STATE_DAMAGED', message: /line 2/ });
  }),
);

test(
  'the file does not grow with the runs that have come and gone',
  withFolder(async path => {
    const log = await RequestLog.open(path);
    let largest = 0;
    for (let round = 0; round < 60; round++) {
      const runs = Array.from({ length: 100 }, (_, index) => `${round}-${index}`);
      await Promise.all(runs.map(run => log.put(accepted(run))));
      await Promise.all(runs.map(run => log.drop(run)));
      largest = Math.max(largest, statSync(path).size);
    }
    await log.close();
    assert.ok(largest < 100_000, `${largest} bytes`);
    assert.equal(readFileSync(path, 'utf8').split('\n').length < 1_100, true);
  }),
);

test(
  'a write that fails rejects, and the next one finds a file that is whole',
  withFolder(async path => {
    const log = await RequestLog.open(path);
    await log.put(accepted('1'));
    // Whatever a failed write left: half a line.
    appendFileSync(path, 'half a li');
    const unserializable = { ...accepted('2'), self: undefined as unknown };
    unserializable.self = unserializable;
    await assert.rejects(log.put(unserializable), { code: 'STATE_WRITE_FAILED' });
    await log.put(accepted('3'));
    await log.close();
    const again = await RequestLog.open(path);
    assert.deepEqual(namesOf(again), ['1', '3']);
    await again.close();
  }),
);

test(
  'any sequence of puts and drops, with any of them at once, reads back as a map would hold it',
  withFolder(async path => {
    const step = fc.record({
      run: fc.constantFrom('1', '2', '3', '4'),
      put: fc.boolean(),
      wait: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        rmSync(path, { force: true });
        const model = new Map<string, number>();
        const log = await RequestLog.open(path);
        const writes: Promise<void>[] = [];
        for (const [index, { run, put, wait }] of steps.entries()) {
          writes.push(put ? log.put(accepted(run, { attempt: index })) : log.drop(run));
          if (put) model.set(run, index);
          else model.delete(run);
          if (wait) await Promise.all(writes);
        }
        await Promise.all(writes);
        await log.close();
        const again = await RequestLog.open(path);
        assert.deepEqual(
          again.runs.map(({ record }) => [record.run, record.attempt]),
          [...model],
        );
        await again.close();
      }),
      { numRuns: someOf(60) },
    );
  }),
);
