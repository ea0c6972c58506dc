import assert from 'node:assert/strict';
import test from 'node:test';
import { atOnce } from '../../src/sinks/at-once.ts';

/** What was begun, and how to end it. */
class Acts {
  readonly begun: number[] = [];
  readonly #ends = new Map<number, { resolve: (value: string) => void; reject: (error: Error) => void }>();

  readonly act = (item: number): Promise<string> => {
    this.begun.push(item);
    return new Promise((resolve, reject) => void this.#ends.set(item, { resolve, reject }));
  };

  end(item: number, error?: Error): void {
    const { resolve, reject } = this.#ends.get(item)!;
    if (error) reject(error);
    else resolve(`of ${item}`);
  }
}

const turn = (): Promise<unknown> => new Promise(resolve => setImmediate(resolve));

test('as many as the limit are under way, and what comes of them is in order', async () => {
  const acts = new Acts();
  const all = atOnce([0, 1, 2, 3], acts.act, 2);
  assert.deepEqual(acts.begun, [0, 1]);
  for (const [item, begun] of [
    [1, [0, 1, 2]],
    [2, [0, 1, 2, 3]],
    [3, [0, 1, 2, 3]],
  ] as const) {
    acts.end(item);
    await turn();
    assert.deepEqual(acts.begun, begun);
  }
  acts.end(0);
  assert.deepEqual(await all, ['of 0', 'of 1', 'of 2', 'of 3']);
});

test('after a failure no more are begun, and those under way are waited for', async () => {
  const acts = new Acts();
  let hasEnded = false;
  const all = atOnce([0, 1, 2, 3], acts.act, 2).finally(() => {
    hasEnded = true;
  });
  const refused = assert.rejects(all, /of 0/);
  acts.end(0, new Error('of 0'));
  await turn();
  assert.equal(hasEnded, false);
  acts.end(1);
  await refused;
  assert.deepEqual(acts.begun, [0, 1]);
});

test('nothing comes of no items', async () => {
  assert.deepEqual(await atOnce([], () => assert.fail()), []);
});
