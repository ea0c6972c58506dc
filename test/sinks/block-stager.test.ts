import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { BlockStager, type BlockStagerOptions } from '../../src/sinks/block-stager.ts';
import { MemoryBlobStore, type StagedBlock } from './support/memory-blob-store.ts';

/** A store whose blocks are answered by the test. */
class HeldStore extends MemoryBlobStore {
  readonly held: { block: StagedBlock; succeed(): void; fail(error: Error): void }[] = [];
  override answer = (block: StagedBlock): Promise<void> | void =>
    new Promise((succeed, fail) => {
      this.held.push({ block, succeed, fail });
      block.options.signal?.addEventListener('abort', () => fail(new Error('aborted')));
    });
}

function setup(options: Partial<BlockStagerOptions> = {}) {
  const store = new HeldStore();
  const stager = new BlockStager({ store, blockBytes: 10, buffersBeingFilled: 1, ...options });
  let index = 0;
  const stage = async (): Promise<Buffer> => {
    const buffer = await stager.acquire();
    stager.stage('a', `${index++}`, buffer, 3);
    return buffer;
  };
  return { store, stager, stage };
}

/** Promises that can settle without anything from outside have settled after this. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
};

test('keeps no more blocks in flight than told and reuses a buffer only after its answer', async () => {
  const { store, stager, stage } = setup({ blocksInFlight: 2 });
  const first = await stage();
  const second = await stage();
  const third = await stage();
  assert.equal(new Set([first, second, third]).size, 3);
  assert.equal(store.inFlight, 2);
  let fourth: Buffer | undefined;
  const waiting = stage().then(buffer => {
    fourth = buffer;
  });
  await settled();
  assert.equal(fourth, undefined);
  store.held[1]!.succeed();
  await waiting;
  assert.equal(fourth, second);
  assert.equal(store.held.length, 3);
  assert.equal(stager.blocksStaged, 1);
  assert.equal(stager.bytesStaged, 3);
});

test('drains when the last answer is there', async () => {
  const { store, stager, stage } = setup();
  await stage();
  await stage();
  let drained = false;
  const draining = stager.drain().then(() => {
    drained = true;
  });
  store.held[1]!.succeed();
  await settled();
  assert.equal(drained, false);
  store.held[0]!.succeed();
  await draining;
  await stager.drain();
});

test('keeps the first failure, throws it at every call, and sends nothing more', async () => {
  const failures: Error[] = [];
  const { store, stager, stage } = setup({ blocksInFlight: 2, onFailure: failure => failures.push(failure) });
  await stage();
  await stage();
  await stage();
  const waiting = stage();
  const draining = stager.drain();
  const first = new Error('first');
  store.held[1]!.fail(first);
  await assert.rejects(waiting, first);
  store.held[0]!.fail(new Error('second'));
  await assert.rejects(draining, first);
  await assert.rejects(stager.acquire(), first);
  assert.throws(() => stager.stage('a', '9', Buffer.alloc(10), 1), first);
  await assert.rejects(stager.drain(), first);
  assert.deepEqual(failures, [first]);
  assert.equal(store.held.length, 2);
});

test('stops by aborting what is under way, and is idle only when that has let go', async () => {
  const { store, stager, stage } = setup({ blocksInFlight: 1 });
  let letGo = (): void => {};
  store.answer = ({ options }) =>
    new Promise((_, reject) => {
      options.signal!.addEventListener('abort', () => {
        letGo = () => reject(new Error('aborted'));
      });
    });
  await stage();
  await stage();
  const reason = new Error('stopped');
  stager.stop(reason);
  let idle = false;
  const idling = stager.idle().then(() => {
    idle = true;
  });
  await settled();
  assert.equal(idle, false);
  letGo();
  await idling;
  await assert.rejects(stager.drain(), reason);
  assert.equal(store.calls.length, 1);
});

test('halves the blocks in flight once per burst of throttling and recovers one by one', async () => {
  const { store, stager, stage } = setup({ blocksInFlight: 4 });
  for (let i = 0; i < 4; i++) await stage();
  for (const { block } of store.held) block.options.onThrottled!();
  assert.equal(stager.concurrency, 2);
  for (const { succeed } of store.held) succeed();
  await settled();
  const late = store.held[0]!.block;
  for (let i = 0; i < 2; i++) await stage();
  late.options.onThrottled!();
  assert.equal(stager.concurrency, 2, 'a block of the first burst says nothing new');
  store.held.at(-1)!.block.options.onThrottled!();
  assert.equal(stager.concurrency, 1);
  store.held.at(-1)!.block.options.onThrottled!();
  assert.equal(stager.concurrency, 1);
  for (const { succeed } of store.held) succeed();
  await settled();

  const seen: number[] = [];
  store.answer = () => {};
  for (let i = 0; i < 40; i++) {
    await stage();
    await stager.drain();
    seen.push(stager.concurrency);
  }
  assert.deepEqual([...new Set(seen)], [1, 2, 3, 4]);
  assert.ok(seen.indexOf(2) >= 5, 'not at once');
});

test('sends no more than the lowered number at a time', async () => {
  const { store, stage } = setup({ blocksInFlight: 4 });
  await stage();
  store.held[0]!.block.options.onThrottled!();
  await stage();
  await stage();
  await stage();
  assert.equal(store.inFlight, 2);
});

test('gives a larger buffer for a large row, and does not keep it', async () => {
  const { store, stager } = setup({ blocksInFlight: 1 });
  store.answer = () => {};
  const large = await stager.acquire(25);
  assert.equal(large.length, 25);
  stager.stage('a', '0', large, 25);
  await stager.drain();
  const buffers = [await stager.acquire(), await stager.acquire()];
  assert.deepEqual(
    buffers.map(buffer => buffer.length),
    [10, 10],
  );
  let third: Buffer | undefined;
  void stager.acquire(30).then(buffer => {
    third = buffer;
  });
  await settled();
  assert.equal(third, undefined);
  stager.release(buffers[0]!);
  await settled();
  assert.equal(third!.length, 30);
});

test('passes the encryption scope on and refuses a block of no bytes', async () => {
  const { store, stager, stage } = setup({ encryptionScope: 'scope-1' });
  await stage();
  assert.equal(store.held[0]!.block.options.encryptionScope, 'scope-1');
  assert.throws(() => stager.stage('a', '0', Buffer.alloc(1), 0), RangeError);
});
