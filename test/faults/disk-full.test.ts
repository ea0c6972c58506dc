import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { everyNth } from '../support/all-cases.ts';
import { fillDisk, mountSmallDisk } from '../support/small-disk.ts';
import { withCheckedExport } from './checked-export.ts';

const DISK_BYTES = 8 * 1024 * 1024;
const ROWS = 3000;
/** Bytes that are left when the run begins: from nothing to enough. */
const LEVELS_KIB = [0, 4, 8, 16, 24, 48, 96, 128, 192, 256, 384, 512, 768, 1024];

test('a disk that fills up at any moment fails the run or not, and the run after it passes the oracle', async t => {
  const disk = mountSmallDisk(DISK_BYTES);
  if (disk === undefined) return t.skip('mounting a tmpfs is not permitted here: run as root');
  try {
    const settings = { runType: 'full_then_delta', syncMode: 'difference', fileName: '{run}' };
    await withCheckedExport({ settings, rowCount: ROWS, below: disk.path }, async subject => {
      await subject.succeed();
      const filler = join(disk.path, 'filler');
      const seen: string[] = [];
      for (const [round, level] of everyNth(4, LEVELS_KIB).entries()) {
        await subject.source.set(
          new Map(Array.from({ length: ROWS }, (_, key) => [key + 1, `round ${round} of ${key}`])),
        );
        fillDisk(filler, level * 1024);
        let step = 'before the first step';
        const { record, error } = await subject.run({
          onStep: (name, moment) => {
            step = `${moment} ${name}`;
          },
        });
        seen.push(`${level} KiB: ${record.state}${record.error ? ` with ${record.error.code} ${step}` : ''}`);
        if (record.state !== 'succeeded') {
          assert.equal(
            record.error?.code,
            'STATE_WRITE_FAILED',
            `${seen.at(-1)}: ${record.error?.message}\n${String(error)}`,
          );
          assert.match(record.error.hint, /space/);
        }
        await subject.oracle.checkVisible();
        rmSync(filler);
        await subject.succeed();
      }
      await subject.expectNoChange();
      for (const line of seen) t.diagnostic(line);
      assert.ok(seen.some(line => line.includes('failed')) && seen.some(line => line.includes('succeeded')));
    });
  } finally {
    disk.unmount();
  }
});
