import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { FolderStore } from '../../../src/sinks/folder/folder-store.ts';
import type { Precondition, WriteOutcome } from '../../../src/sinks/sink.ts';

let all: string;
let root: string;
let store: FolderStore;

before(async () => {
  all = await mkdtemp(join(tmpdir(), 'sluice-folder-'));
});
after(() => rm(all, { recursive: true, force: true }));
beforeEach(async () => {
  root = await mkdtemp(join(all, 'root-'));
  store = new FolderStore(root);
});

const ABSENT = { condition: { ifAbsent: true }, properties: {} } as const;
const when = (condition: Precondition) => ({ condition, properties: {} });
const text = (name: string): Promise<string> => readFile(join(root, name), 'utf8');

function etagOf(outcome: WriteOutcome): string {
  assert.equal(outcome.outcome, 'written', JSON.stringify(outcome));
  return (outcome as { etag: string }).etag;
}

async function stage(name: string, blocks: Record<string, string>, by = store): Promise<void> {
  for (const [id, bytes] of Object.entries(blocks)) await by.stageBlock(name, id, Buffer.from(bytes));
}

test('shows nothing of staged blocks until they are committed, then exactly those listed', async () => {
  await stage('crm/a.csv', { a: 'one,', b: 'two,', c: 'never' });
  assert.deepEqual(await store.listBlobs(''), []);
  assert.deepEqual(await readdir(root), ['.sluice-store']);
  assert.equal(await store.head('crm/a.csv'), undefined);
  const properties = { contentType: 'text/csv', metadata: { run: 'r1' } };
  const etag = etagOf(await store.commitBlocks('crm/a.csv', ['b', 'a'], { ...ABSENT, properties }));
  assert.equal(await text('crm/a.csv'), 'two,one,');
  assert.deepEqual(await store.head('crm/a.csv'), { etag, bytes: 8, ...properties });
  assert.deepEqual((await store.getBlocks('crm/a.csv'))?.blocks, [
    { id: 'b', bytes: 4 },
    { id: 'a', bytes: 4 },
  ]);
  // What was not listed is gone.
  assert.equal((await store.commitBlocks('crm/a.csv', ['c'], when({ ifMatch: etag }))).outcome, 'refused');
});

test('blocks that come in their order are committed without a copy', async () => {
  await Promise.all(['a', 'b', 'c'].map(id => store.stageBlock('a', id, Buffer.from(id.repeat(3)))));
  const key = (await readdir(join(root, '.sluice-store/staged')))[0]!;
  const staged = join(root, '.sluice-store/staged', key);
  const data = (await readdir(staged)).find(name => name.endsWith('.data'))!;
  await link(join(staged, data), join(root, '.same'));
  await store.commitBlocks('a', ['a', 'b', 'c'], ABSENT);
  await writeFile(join(root, '.same'), 'seen through the link', { flag: 'a' });
  assert.equal(await text('a'), 'aaabbbcccseen through the link');
});

test('continues a file with blocks of its own, staged by another process', async () => {
  await stage('a', { a: 'head', b: 'end' });
  const first = etagOf(await store.commitBlocks('a', ['a', 'b'], ABSENT));
  await stage('a', { c: 'more' }, new FolderStore(root));
  const second = etagOf(
    await new FolderStore(root).commitBlocks('a', ['a', 'c', 'b'], when({ ifMatch: first })),
  );
  assert.equal(await text('a'), 'headmoreend');
  assert.equal((await store.head('a'))?.etag, second);
});

test('writes only what the precondition allows', async () => {
  const etag = etagOf(await store.putBlob('a', Buffer.from('1'), ABSENT));
  for (const condition of [{ ifAbsent: true }, { ifMatch: `${etag}0` }] as const) {
    const outcome = await store.putBlob('a', Buffer.from('2'), when(condition));
    assert.equal(outcome.outcome === 'refused' && outcome.reason, 'condition');
  }
  const second = etagOf(await store.putBlob('a', Buffer.from('2'), when({ ifMatch: etag })));
  assert.notEqual(second, etag);
  assert.equal((await store.putBlob('a', Buffer.from('3'), when({ ifMatch: etag }))).outcome, 'refused');
  assert.equal(await text('a'), '2');
});

test('of writers that all want to be the first, or to replace the same version, one succeeds', async () => {
  const writers = Array.from({ length: 8 }, () => new FolderStore(root));
  const race = async (condition: Precondition): Promise<WriteOutcome[]> => {
    const outcomes = await Promise.all(
      writers.map((writer, index) => writer.putBlob('a', Buffer.from(String(index)), when(condition))),
    );
    const written = outcomes.flatMap(({ outcome }, index) => (outcome === 'written' ? [index] : []));
    assert.equal(written.length, 1);
    assert.equal(await text('a'), String(written[0]));
    return outcomes;
  };
  const outcomes = await race({ ifAbsent: true });
  const etag = etagOf(outcomes.find(({ outcome }) => outcome === 'written')!);
  await race({ ifMatch: etag });
});

test('a file that appears in the last moment is left alone', async () => {
  for (let attempt = 0; attempt < 50; attempt++) {
    const late = await mkdtemp(join(all, 'late-'));
    const versions = join(late, '.sluice-store/versions');
    const isNoted = (): boolean =>
      existsSync(versions) &&
      readdirSync(versions, { recursive: true, encoding: 'utf8' }).some(name => /\/[^.]+$/.test(name));
    let isSettled = false;
    const putting = new FolderStore(late).putBlob('a', Buffer.from('ours'), ABSENT);
    void putting.finally(() => (isSettled = true));
    // The note of the version is the last that is written before the switch.
    while (!isSettled && !isNoted()) await new Promise(setImmediate);
    try {
      writeFileSync(join(late, 'a'), 'precious', { flag: 'wx' });
    } catch {
      continue; // the switch came first
    }
    assert.equal((await putting).outcome, 'refused');
    assert.equal(await readFile(join(late, 'a'), 'utf8'), 'precious');
    return;
  }
  assert.fail('the file never appeared in time');
});

test('a file that somebody else has changed or made is another version, without properties', async () => {
  const properties = { metadata: { run: 'r1' } };
  const etag = etagOf(await store.putBlob('a', Buffer.from('1'), { ...ABSENT, properties }));
  await writeFile(join(root, 'a'), '2');
  const seen = await store.head('a');
  assert.notEqual(seen?.etag, etag);
  assert.deepEqual(seen?.metadata, {});
  assert.equal(await store.deleteBlob('a', etag), 'changed');
  assert.equal((await store.putBlob('a', Buffer.from('3'), when({ ifMatch: etag }))).outcome, 'refused');
});

test('deletes the version that was looked at, and folders that hold nothing more', async () => {
  const etag = etagOf(await store.putBlob('x/y/a', Buffer.from('1'), ABSENT));
  etagOf(await store.putBlob('x/b', Buffer.from('1'), ABSENT));
  assert.equal(await store.deleteBlob('x/y/a', etag), 'deleted');
  assert.equal(await store.deleteBlob('x/y/a', etag), 'absent');
  assert.deepEqual(await readdir(join(root, 'x')), ['b']);
  assert.deepEqual(await store.listBlobs('x/'), ['x/b']);
});

test('lists what begins so, in order, at any depth', async () => {
  for (const name of ['b', 'a/2', 'a/1', 'a-1', 'a/c/d', 'ab/x'])
    etagOf(await store.putBlob(name, Buffer.from('1'), ABSENT));
  assert.deepEqual(await store.listBlobs('a/'), ['a/1', 'a/2', 'a/c/d']);
  assert.deepEqual(await store.listBlobs('a'), ['a-1', 'a/1', 'a/2', 'a/c/d', 'ab/x']);
});

test('reads a version in pieces, and no other', async () => {
  const bytes = Buffer.alloc(5 * 1024 * 1024, 'sluice');
  await store.stageBlock('a', 'a', bytes);
  const etag = etagOf(await store.commitBlocks('a', ['a'], ABSENT));
  const pieces: Buffer[] = [];
  for await (const piece of store.readBlob('a', { etag, bytes: bytes.length })) pieces.push(piece);
  assert.equal(pieces.length, 2);
  assert.ok(Buffer.concat(pieces).equals(bytes));
  await writeFile(join(root, 'a'), 'other');
  await assert.rejects(
    async () => {
      for await (const _ of store.readBlob('a', { etag, bytes: bytes.length }));
    },
    { code: 'DESTINATION_CONFLICT' },
  );
});

test('a block whose list was cut short by a crash is not there', async () => {
  await stage('a', { a: 'one', b: 'two' });
  const key = (await readdir(join(root, '.sluice-store/staged')))[0]!;
  const staged = join(root, '.sluice-store/staged', key);
  const list = join(staged, (await readdir(staged)).find(name => name.endsWith('.blocks'))!);
  const lines = await readFile(list, 'utf8');
  await writeFile(list, lines.slice(0, -5));
  const outcome = await new FolderStore(root).commitBlocks('a', ['a', 'b'], ABSENT);
  assert.equal(outcome.outcome === 'refused' && outcome.reason, 'blocks missing');
  etagOf(await new FolderStore(root).commitBlocks('a', ['a'], ABSENT));
  assert.equal(await text('a'), 'one');
});

test('what nobody commits within a week is removed', async () => {
  await stage('old', { a: 'one' });
  const [key] = await readdir(join(root, '.sluice-store/staged'));
  const staged = join(root, '.sluice-store/staged', key!);
  const eightDaysAgo = Date.now() / 1000 - 8 * 86_400;
  for (const name of await readdir(staged)) await utimes(join(staged, name), eightDaysAgo, eightDaysAgo);
  const next = new FolderStore(root);
  await stage('new', { a: 'one' }, next);
  etagOf(await next.commitBlocks('new', ['a'], ABSENT));
  const outcome = await next.commitBlocks('old', ['a'], ABSENT);
  assert.equal(outcome.outcome, 'refused');
});

test('names lead nowhere but below the folder', async () => {
  for (const name of ['', '../a', 'a/../b', 'a//b', './a', 'a\\b', 'a\u0000', '.sluice-store/lock'])
    await assert.rejects(store.putBlob(name, Buffer.from('1'), ABSENT), { code: 'FILE_NAME_INVALID' }, name);
  await assert.rejects(store.putBlob('x'.repeat(300), Buffer.from('1'), ABSENT), {
    code: 'FILE_NAME_INVALID',
  });
});

test('what stands in the way is said', async () => {
  await mkdir(join(root, 'folder'));
  assert.equal((await store.head('folder'))?.obstacle, 'directory');
  await writeFile(join(root, 'file'), '');
  await assert.rejects(store.head('file/a'), { code: 'DESTINATION_REFUSED' });
  await symlink('circle', join(root, 'circle'));
  await assert.rejects(store.head('circle'), { code: 'DESTINATION_REFUSED' });
});

test('a folder that is missing, or that is a file, is said before anything is read', async () => {
  await assert.rejects(new FolderStore(join(root, 'none')).checkAccess(), {
    code: 'DESTINATION_NOT_FOUND',
    hint: /create the folder/,
  });
  await writeFile(join(root, 'file'), '');
  await assert.rejects(new FolderStore(join(root, 'file')).checkAccess(), { code: 'DESTINATION_REFUSED' });
});

test('a folder that may not be written is said, with whose it is', {
  skip: process.getuid?.() === 0 && 'root may write everywhere',
}, async () => {
  await chmod(root, 0o500);
  await assert.rejects(store.checkAccess(), { code: 'DESTINATION_PERMISSION', hint: /mode 0500/ });
});

test('stops when its signal does', async () => {
  const stopped = new FolderStore(root, AbortSignal.abort());
  await assert.rejects(stopped.stageBlock('a', 'a', Buffer.from('1')), { code: 'CANCELLED' });
});
