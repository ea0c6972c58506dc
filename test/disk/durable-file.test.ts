import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { makeFolder, writeDurably } from '../../src/disk/durable-file.ts';
import { newRunId } from '../../src/history/run-id.ts';
import { DiskJournal } from '../../src/publish/journal.ts';
import { StateFolder } from '../../src/state/state-folder.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const IS_LINUX = process.platform === 'linux';

/**
 * The paths of files and folders that `act` syncs, in order. The system's own list of
 * open files tells the path.
 */
async function synced(act: (root: string) => Promise<void>): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-durable-'));
  const handle = await open(root, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { sync } = prototype;
  const paths: string[] = [];
  prototype.sync = function (this: FileHandle) {
    paths.push(readlinkSync(`/proc/self/fd/${this.fd}`).replace(root, '…'));
    return sync.call(this);
  };
  try {
    await act(root);
    return paths;
  } finally {
    prototype.sync = sync;
    await rm(root, { recursive: true, force: true });
  }
}

test('a new folder is made durable in each of those above it that were made with it', {
  skip: !IS_LINUX,
}, async () => {
  const paths = await synced(root => makeFolder(join(root, 'a/b/c')));
  assert.deepEqual(paths, ['…/a/b', '…/a', '…']);
});

test('a folder that a disk mounted read-only lacks is said to be refused, and not to be missing', async t => {
  const disk = mountSmallDisk(1024 ** 2);
  if (disk === undefined) return t.skip('mounting is not permitted');
  t.after(() => disk.unmount());
  disk.readOnly();
  await assert.rejects(makeFolder(join(disk.path, 'a/b/c')), { code: 'EROFS', path: join(disk.path, 'a') });
  const opened = StateFolder.open(join(disk.path, 'data'), 'a', 'a test');
  await assert.rejects(opened, { code: 'STATE_INACCESSIBLE', hint: /mounted read-only/ });
});

test('a folder under a name that cannot be one is refused at once', async t => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-durable-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await writeFile(join(root, 'file'), '');
  await symlink(join(root, 'nowhere'), join(root, 'dangling'));
  await assert.rejects(makeFolder(join(root, 'file/a')), { code: 'ENOTDIR' });
  await assert.rejects(makeFolder(join(root, 'file')), { code: 'EEXIST' });
  await makeFolder(root);
  for (const name of ['dangling', 'dangling/a']) {
    const opened = StateFolder.open(join(root, name), 'a', 'a test');
    await assert.rejects(opened, { code: 'STATE_INACCESSIBLE', hint: /a link that leads nowhere/ });
  }
  if (IS_LINUX) await assert.rejects(makeFolder('/proc/sluice/a'), { code: 'ENOENT' });
});

test('the first use of a data directory makes it durable from its own name down to that of the baseline', {
  skip: !IS_LINUX,
}, async () => {
  const run = newRunId(new Date());
  const paths = await synced(async root => {
    const folder = await StateFolder.open(join(root, 'data'), 'a', 'a test');
    await folder.journal.list();
    await folder.journal.create(run);
    await (await folder.placeOf(undefined).openBaseline()).close();
    await folder.close();
  });
  const own = '…/data/activations/a';
  for (const path of ['…', '…/data', '…/data/activations', own, `${own}/runs`])
    assert.ok(paths.includes(path), `${path} is not among ${paths.join()}`);
  // Once for `history`, and once more for the baseline, which comes last.
  assert.equal(paths.at(-1), own);
});

test('a folder that a killed process had made, and not synced, is synced by the next', {
  skip: !IS_LINUX,
}, async () => {
  let again: string[] = [];
  await synced(async root => {
    await (await StateFolder.open(join(root, 'data'), 'a', 'a test')).close();
    again = await synced(async () =>
      (await StateFolder.open(join(root, 'data'), 'a', 'a test')).close(),
    ).catch(() => []);
  });
  assert.equal(again.length, 3);
});

test('a file is synced before it gets its name, and its folder after', { skip: !IS_LINUX }, async () => {
  const paths = await synced(async root => {
    await writeDurably(join(root, 'record.json'), '{}');
    assert.equal(await readFile(join(root, 'record.json'), 'utf8'), '{}');
    assert.deepEqual(await readdir(root), ['record.json']);
  });
  assert.deepEqual(paths, ['…/record.json.tmp', '…']);
});

test('a document of the journal that is not what was written is said to be damaged, and never acted upon', async t => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-journal-'));
  t.after(() => rm(root, { recursive: true }));
  const journal = new DiskJournal(join(root, 'runs'));
  const run = newRunId(new Date());
  await journal.create(run);
  const decision = {
    version: 1,
    files: [{ name: 'a.csv', bytes: 123 }],
    none: undefined,
    '2': 'two',
    '1': 'one',
  };
  await journal.write(run, 'commit.json', decision);
  assert.deepEqual(await journal.read(run, 'commit.json'), JSON.parse(JSON.stringify(decision)));
  const path = journal.path(run, 'commit.json');
  const text = await readFile(path, 'utf8');
  for (const damaged of [text.replace('123', '124'), text.slice(0, 40), '', 'null', '{}', '[]']) {
    await writeFile(path, damaged);
    await assert.rejects(journal.read(run, 'commit.json'), {
      code: 'STATE_DAMAGED',
      hint: /put the file back; or `sluice state reset NAME --abandon`/,
    });
  }
});
