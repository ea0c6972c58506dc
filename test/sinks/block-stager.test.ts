import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SluiceError } from '../../src/errors.ts';
import { BlockStager, type BlockStagerOptions } from '../../src/sinks/block-stager.ts';
import { BlockTooSlow } from '../../src/sinks/block-too-slow.ts';
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
    stager.stage({ blob: 'a', blockId: `${index++}` }, buffer, 3);
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
  assert.throws(() => stager.stage({ blob: 'a', blockId: '9' }, Buffer.alloc(10), 1), first);
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
  stager.stage({ blob: 'a', blockId: '0' }, large, 25);
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
  assert.throws(() => stager.stage({ blob: 'a', blockId: '0' }, Buffer.alloc(1), 0), RangeError);
});

const MiB = 1024 * 1024;
const tooSlow = (leftMs: number): BlockTooSlow =>
  new BlockTooSlow(new SluiceError('DESTINATION_TIMEOUT', 'nothing moved'), leftMs);

/** A stager of large blocks of one file, which may have so many pieces. */
function setupLarge(blocks: number, pieces = 1000) {
  const { store, stager } = setup({ blockBytes: 4 * MiB, blocksInFlight: 4 });
  const ids: string[] = [];
  const split = (blockId: string, count: number): string[] | undefined => {
    pieces -= count;
    if (pieces < 0) return undefined;
    const given = Array.from({ length: count }, (_, index) => `${blockId}.${index}`);
    ids.splice(ids.indexOf(blockId), 1, ...given);
    return given;
  };
  const stage = async (blockId: string): Promise<void> => {
    const buffer = await stager.acquire();
    ids.push(blockId);
    stager.stage({ blob: 'a', blockId, split }, buffer, 4 * MiB);
  };
  const staged = (async () => {
    for (let index = 0; index < blocks; index++) await stage(`${index}`);
  })();
  const sent = (): string[] => store.held.map(({ block: { blockId } }) => blockId);
  return { store, stager, ids, stage, staged, sent };
}

test('sends a block that is too slow again in smaller ones, fewer at a time, before what waits', async () => {
  const { store, stager, ids, staged, sent } = setupLarge(5);
  await settled();
  assert.deepEqual(sent(), ['0', '1', '2', '3']);
  for (const { block, fail } of store.held) {
    assert.equal(block.options.canBeSplit, true);
    fail(tooSlow(7));
  }
  await settled();
  assert.equal(stager.concurrency, 2, 'of one burst');
  assert.equal(store.inFlight, 2);
  const [piece] = store.held.slice(4);
  assert.deepEqual(
    [piece!.block.bytes.length, piece!.block.options.patienceMs, piece!.block.options.canBeSplit],
    [MiB, 7, true],
  );
  store.answer = () => {};
  for (const { succeed } of store.held.slice(4)) succeed();
  await staged;
  await stager.drain();
  assert.equal(store.calls.at(-1)!.options.patienceMs, undefined, 'as soon as one came through');
  assert.equal(stager.bytesStaged, 5 * 4 * MiB);
  assert.deepEqual(
    ids,
    ['0', '1', '2', '3', '4'].flatMap(id => [0, 1, 2, 3].map(part => `${id}.${part}`)),
  );
});

test('sends a block as it is where its file can have no more, or it is small', async () => {
  const { store, stager, staged } = setupLarge(1, 0);
  await staged;
  store.held[0]!.fail(tooSlow(0));
  await settled();
  const again = store.held[1]!;
  assert.equal(again.block.bytes.length, 4 * MiB);
  assert.equal(again.block.options.canBeSplit, false);
  again.fail(new Error('not at all'));
  await assert.rejects(stager.drain(), /not at all/);

  const small = setup();
  await small.stage();
  assert.equal(small.store.held[0]!.block.options.canBeSplit, false);
});

test('sends whole blocks again after many smaller ones came through', async () => {
  const { store, stager, stage, staged } = setupLarge(1);
  await staged;
  store.held[0]!.fail(tooSlow(0));
  store.answer = () => {};
  await settled();
  for (const { succeed } of store.held.slice(1)) succeed();
  for (let index = 1; index < 60 && store.calls.at(-1)!.bytes.length < 4 * MiB; index++) {
    await stage(`${index}`);
    await stager.drain();
  }
  assert.equal(store.calls.at(-1)!.bytes.length, 4 * MiB);
  assert.equal(stager.concurrency, 4);
  assert.ok(store.calls.length > 64, `after ${store.calls.length}`);
});

test('gives up a block that was too slow with the failure of the smaller ones', async () => {
  const { store, stager, staged } = setupLarge(1);
  await staged;
  const failure = new SluiceError('DESTINATION_TIMEOUT', 'still nothing moved');
  store.answer = () => {};
  store.held[0]!.fail(tooSlow(0));
  store.answer = () => Promise.reject(failure);
  await assert.rejects(stager.drain(), failure);
  await stager.idle();
  assert.equal(store.inFlight, 0);
});
