import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Secret } from '../../src/config/secrets.ts';
import { SluiceError } from '../../src/errors.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { type SliceOutcome, SliceQueue, type TaskToRead } from '../../src/queue/slice-queue.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';

const ROLE = `sluice_queue_${process.pid}`;
const PASSWORD = 'pw-of-the-queue';

let database: TestDatabase;
let url: Secret;
before(async () => {
  database = await (await getPostgres()).createDatabase();
  // As docs/guide/workers.md has it.
  await database.sql(`create role ${ROLE} login password '${PASSWORD}';
    create schema sluice_queue authorization ${ROLE};
    revoke all on database ${database.name} from public;
    grant connect on database ${database.name} to ${ROLE};`);
  const ofRole = new URL(database.url);
  ofRole.username = ROLE;
  ofRole.password = PASSWORD;
  url = new Secret(ofRole.href);
});
after(async () => {
  await database.sql(`drop owned by ${ROLE}; drop role ${ROLE}`);
  await database.drop();
});

const FAILED: SluiceError[] = [];

function open(): Promise<SliceQueue> {
  return SliceQueue.open({ url, onError: error => FAILED.push(error) });
}

const DONE: SliceOutcome = { worker: 'host:1', rows: 10, bytes: 100 };

/** Resolves once no slice of the run waits or is read. */
async function ended(queue: SliceQueue, run: string): Promise<Awaited<ReturnType<SliceQueue['look']>>> {
  for (;;) {
    const slices = await queue.look(run);
    if (slices.every(({ state }) => state === 'completed' || state === 'failed')) return slices;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

test('a role that owns one schema, and may nothing else, is enough', async () => {
  const queue = await open();
  const worker = await open();
  try {
    const tasks = [0, 1, 2].map(slice => ({ run: 'run-1', activation: 'a', slice }));
    await queue.submit(tasks, 'db');
    // To put them in again changes nothing.
    await queue.submit(tasks, 'db');
    assert.equal((await queue.look('run-1')).length, 3);

    let now = 0;
    let most = 0;
    const seen: number[] = [];
    const read = async ({ slice }: TaskToRead): Promise<SliceOutcome> => {
      most = Math.max(most, ++now);
      seen.push(slice);
      await new Promise(resolve => setImmediate(resolve));
      now--;
      const isFirst = seen.filter(each => each === slice).length === 1;
      if (slice === 1 && isFirst)
        return { worker: 'host:1', error: toPlainError(new SluiceError('SOURCE_CONNECTION_LOST', 'gone')) };
      if (slice === 2)
        return { worker: 'host:1', error: toPlainError(new SluiceError('SOURCE_PERMISSION', 'denied')) };
      return DONE;
    };
    await worker.work({ atOnce: 3, perSource: 1 }, read);
    const slices = await ended(queue, 'run-1');
    assert.deepEqual(
      slices
        .map(({ slice, state, retries }) => ({ slice, state, retries }))
        .sort((a, b) => a.slice - b.slice),
      [
        { slice: 0, state: 'completed', retries: 0 },
        { slice: 1, state: 'completed', retries: 1 },
        { slice: 2, state: 'failed', retries: 0 },
      ],
    );
    assert.deepEqual(slices.find(({ slice }) => slice === 0)?.outcome, DONE);
    assert.equal(slices.find(({ slice }) => slice === 2)?.outcome?.error?.code, 'SOURCE_PERMISSION');
    assert.equal(most, 1, 'of one source one slice at a time');
  } finally {
    await worker.close();
    await queue.close();
  }
});

test('what is left of other runs of an activation is called off, and of no other activation', async () => {
  const queue = await open();
  try {
    const put = (run: string, activation: string): Promise<void> =>
      queue.submit([{ run, activation, slice: 0 }], 'elsewhere');
    await put('left', 'one');
    await put('mine', 'one');
    await put('theirs', 'other');
    await queue.cancelOthers({ activation: 'one', run: 'mine' });
    const states = await Promise.all(
      ['left', 'mine', 'theirs'].map(async run => (await queue.look(run))[0]?.state),
    );
    assert.deepEqual(states, ['cancelled', 'created', 'created']);
    await queue.cancel('mine', [0]);
    await queue.remove('mine', [0]);
    await put('mine', 'one');
    assert.equal((await queue.look('mine'))[0]?.state, 'created');
  } finally {
    await queue.close();
  }
});

test('a queue that cannot be used says why, without its password', async () => {
  const refused = new URL(url.reveal());
  refused.password = 'another-password';
  const fails = async (address: string): Promise<SluiceError> => {
    const error = await SliceQueue.open({ url: new Secret(address), onError: () => {} }).catch(
      cause => cause,
    );
    assert.ok(error instanceof SluiceError, String(error));
    assert.doesNotMatch(`${error.message} ${error.hint}`, /another-password|pw-of-the-queue/);
    return error;
  };
  const away = new URL(url.reveal());
  away.port = '1';
  assert.equal((await fails(away.href)).code, 'QUEUE_CONNECT_FAILED');
  const missing = new URL(url.reveal());
  missing.pathname = '/no_such_database';
  const { code, retryable } = await fails(missing.href);
  assert.deepEqual({ code, retryable }, { code: 'QUEUE_REFUSED', retryable: false });
});
