import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { SYSTEM_CLOCK } from '../../../src/clock.ts';
import { DocumentFolder } from '../../../src/daemon/documents/document-folder.ts';
import { Pauses } from '../../../src/daemon/pauses/pauses.ts';
import type { SluiceError } from '../../../src/errors.ts';
import { withWorld } from '../support/daemon-world.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';

const DISK_FULL = new Error('no space left on device');

test('a pause that could not be written is written when it is asked for again', async () => {
  const documents = new MemoryDocuments();
  documents.beforeWrite = () => {
    throw DISK_FULL;
  };
  const pauses = await Pauses.open(documents, SYSTEM_CLOCK);
  await assert.rejects(pauses.pause('one', 'user', 'the database moves'), DISK_FULL);
  documents.beforeWrite = () => {};
  await pauses.pause('one', 'user', 'the database moves');
  const next = await Pauses.open(documents, SYSTEM_CLOCK);
  assert.equal(next.get('one')?.by, 'user', 'what was answered outlives the daemon');
});

test('a resume that could not be written is written when it is asked for again', async () => {
  const documents = new MemoryDocuments();
  const pauses = await Pauses.open(documents, SYSTEM_CLOCK);
  await pauses.pause('one', 'user', 'the database moves');
  documents.beforeWrite = () => {
    throw DISK_FULL;
  };
  await assert.rejects(pauses.resume('one'), DISK_FULL);
  assert.equal(pauses.get('one')?.by, 'user', 'what was refused has not happened');
  documents.beforeWrite = () => {};
  assert.equal(await pauses.resume('one'), true);
  const next = await Pauses.open(documents, SYSTEM_CLOCK);
  assert.equal(next.get('one'), undefined, 'what was answered outlives the daemon');
});

test('who asks for a pause that is being written is answered when it is', async () => {
  const documents = new MemoryDocuments();
  let write = (): void => {};
  const held = new Promise<void>(resolve => (write = resolve));
  documents.beforeWrite = () => held;
  const pauses = await Pauses.open(documents, SYSTEM_CLOCK);
  const first = pauses.pause('one', 'user', 'the database moves');
  const second = pauses.pause('one', 'user', 'me too').then(() => documents.writes);
  setImmediate(write);
  await first;
  assert.ok((await second) > 0, 'nothing was on disk when the second was answered');
});

const PAUSE = { by: 'user', since: '2026-06-01T00:00:00.000Z', reason: 'the database moves' };
const OTHER_FORMS: Readonly<Record<string, unknown>> = {
  nothing: null,
  'a list': [PAUSE],
  'no version': { pauses: {}, resumed: {} },
  'a version to come': { version: 2, pauses: {}, resumed: {} },
  'no pauses': { version: 1, resumed: {} },
  'pauses as a list': { version: 1, pauses: [{ activation: 'one', ...PAUSE }], resumed: {} },
  'a pause without a reason': { version: 1, pauses: { one: { ...PAUSE, reason: undefined } }, resumed: {} },
  'a pause by nobody known': { version: 1, pauses: { one: { ...PAUSE, by: 'somebody' } }, resumed: {} },
  'a resume at no instant': { version: 1, pauses: { one: PAUSE }, resumed: { two: 'yesterday' } },
  'a key that nobody knows': { version: 1, pauses: {}, resumed: {}, until: 'monday' },
};

for (const [what, content] of Object.entries(OTHER_FORMS)) {
  test(`pauses of another form are damaged, never no pauses: ${what}`, async () => {
    const documents = new MemoryDocuments();
    await documents.write('pauses', content);
    await assert.rejects(Pauses.open(documents, SYSTEM_CLOCK), (error: SluiceError) => {
      assert.equal(error.code, 'STATE_DAMAGED');
      assert.match(error.message, /^the document pauses is not a list of pauses: \S/);
      assert.match(error.hint, /backup.*delete it/);
      return true;
    });
  });
}

test('a document in which one byte differs is not acted on, and one without a checksum is', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-documents-'));
  t.after(() => rm(folder, { recursive: true }));
  const documents = new DocumentFolder(folder);
  await documents.write('pauses', { version: 1, pauses: { one: PAUSE }, resumed: {} });
  assert.ok((await Pauses.open(documents, SYSTEM_CLOCK)).get('one'));
  const path = join(folder, 'pauses.json');
  const text = await readFile(path, 'utf8');
  for (const [from, to] of [
    ['"one"', '"ome"'],
    [PAUSE.since.slice(0, 4), '1999'],
    ['"crc":', '"crc":1'],
  ] as const) {
    await writeFile(path, text.replace(from, to));
    await assert.rejects(Pauses.open(documents, SYSTEM_CLOCK), (error: SluiceError) => {
      assert.equal(error.code, 'STATE_DAMAGED');
      assert.ok(error.message.startsWith(`${path} is not what was written`), error.message);
      return true;
    });
  }
  await writeFile(path, text.replace(/,"crc":\d+/, ''));
  assert.ok((await Pauses.open(documents, SYSTEM_CLOCK)).get('one'));
});

test('a daemon does not start with pauses that it cannot understand, and names the file', async () => {
  await withWorld({}, async world => {
    const path = join(world.dataDirectory, 'daemon', 'pauses.json');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, '{"version":1,"paused":["one"]}');
    await assert.rejects(world.start(), (error: SluiceError) => {
      assert.equal(error.code, 'STATE_DAMAGED');
      assert.ok(error.message.startsWith(path), error.message);
      return true;
    });
    // It holds nothing that the next start would need.
    await rm(path);
    await world.start();
  });
});
