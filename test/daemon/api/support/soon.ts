import assert from 'node:assert/strict';

/** Many times what any answer on the same machine takes, and still only seconds. */
const ENOUGH_TURNS = 1_000_000;

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** As soon as it holds. Fails where the loop has gone round so often meanwhile that it never will. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let left = ENOUGH_TURNS; !holds(); left--) {
    assert.ok(left > 0, `it did not come about that ${what}`);
    await turn();
  }
}

/** What the promise comes to. Fails where the loop has gone round so often meanwhile that nothing will come of it. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  await until(() => isSettled, what);
  return promise;
}
