import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { lockFolder } from '../../src/disk/folder-lock.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
});
after(() => rmSync(folder, { recursive: true }));

/** Whether another process gets the lock. */
function isFreeElsewhere(directory: string): boolean {
  const program = `
    import { Level } from 'level';
    await new Level(process.argv[1]).open().then(() => process.exit(0), () => process.exit(1));`;
  const root = join(import.meta.dirname, '../..');
  const args = ['--input-type=module', '--eval', program, directory];
  return spawnSync(process.execPath, args, { cwd: root }).status === 0;
}

test('a second caller in the process is refused, and does not free the folder for other processes', async () => {
  const directory = join(folder, 'twice');
  const lock = await lockFolder(directory, 'the first');
  await assert.rejects(lockFolder(directory, 'the second'), {
    code: 'STATE_LOCKED',
    message: /is in use by the first \(process \d+, since /,
  });
  assert.equal(isFreeElsewhere(directory), false);
  await lock.close();
  assert.equal(isFreeElsewhere(directory), true);
  await (await lockFolder(directory, 'a third')).close();
});

test('a folder by another name is the same folder', async () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'link'));
  const lock = await lockFolder(join(folder, 'real', 'lock'), 'the first');
  await assert.rejects(lockFolder(join(folder, 'link', 'lock'), 'the second'), { code: 'STATE_LOCKED' });
  await lock.close();
});
