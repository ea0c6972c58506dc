import assert from 'node:assert/strict';
import test from 'node:test';
import { Pauses } from '../../src/daemon/pauses.ts';
import { SYSTEM_CLOCK } from '../../src/daemon/system-clock.ts';
import { MemoryDocuments } from './support/memory-documents.ts';

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
