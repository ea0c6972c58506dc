import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { SluiceError } from '../../../src/errors.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { RawConnection } from './support/raw-http.ts';
import { Served } from './support/served.ts';
import { soon, until } from './support/soon.ts';

const HOST = 'Host: localhost\r\n';

/** What is not ended at once holds the end up for longer than a test may take. */
async function withRun(): Promise<{ served: Served; run: string }> {
  const served = await Served.start({ limits: { closeTimeoutMs: 600_000 } });
  const { record } = await served.operations.trigger({ activation: 'customers', trigger: 'http' });
  return { served, run: record.run };
}

test('closing answers waits with the run as it stands and ends streams', async () => {
  const { served, run } = await withRun();
  const client = await served.client();
  const waiting = client.call<RunRecord>('getRun', { path: { id: run }, query: { wait: '5m' } });
  const stream = await client.open('streamRunEvents', { path: { id: run } });
  await until(() => served.operations.listenersOf(run) === 2, 'both listen to the run');
  await soon(served.dispose(), 'the server is closed');
  const { status, body } = await waiting;
  assert.deepEqual([status, body.run, body.state], [200, run, 'queued']);
  assert.match(await stream.text(), /"state":"queued"/);
  assert.equal(served.operations.listenersOf(run), 0);
});

test('closing ends connections without a request at once, and nothing listens any more', async () => {
  const { served } = await withRun();
  const silent = await RawConnection.open(served.port);
  const idle = await RawConnection.open(served.port);
  idle.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
  assert.equal((await idle.answer())?.status, 200);
  await soon(Promise.all([served.dispose(), silent.closed(), idle.closed()]), 'they are closed');
  const socket = connect(served.port, '127.0.0.1');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('closing lets a request end that has begun, and turns the next away', async () => {
  const { served } = await withRun();
  let finish: () => void = () => {};
  const began = new Promise<void>(begun => {
    served.operations.reload = async () => {
      begun();
      await new Promise<void>(resolve => {
        finish = resolve;
      });
      return { added: ['late'], removed: [], changed: [], settings: [], needsRestart: [] };
    };
  });
  const connection = await RawConnection.open(served.port);
  const later = await RawConnection.open(served.port);
  connection.write(`POST /v1/reload HTTP/1.1\r\n${HOST}\r\n`);
  later.write(
    `POST /v1/reload HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n`,
  );
  await began;
  const closing = served.dispose();
  connection.write(`GET /v1/runs HTTP/1.1\r\n${HOST}\r\n`);
  const isTurnedAway = () => served.lines.some(({ fields }) => fields['status'] === 503);
  await until(isTurnedAway, 'the next request is turned away');
  finish();
  const first = await connection.answer();
  assert.deepEqual(
    [first?.status, JSON.parse(first?.text ?? '')],
    [200, { added: ['late'], removed: [], changed: [], settings: [], needsRestart: [] }],
  );
  const second = await connection.answer();
  assert.deepEqual([second?.status, second?.headers.get('connection')], [503, 'close']);
  later.destroy();
  await soon(closing, 'the server is closed');
});

const preview = async (of: Served): Promise<[status: number, code: string]> => {
  const client = await of.client();
  const path = { name: 'customers' };
  const { status, body } = await client.call<{ error: { code: string } }>('previewActivation', { path });
  return [status, body.error.code];
};

test('a preview that hangs is ended by its time limit, and makes room for the next', async () => {
  const served = await Served.start({ limits: { probeTimeoutMs: 50, probes: 1 } });
  served.operations.previewHangs = true;
  for (let count = 0; count < 2; count++) {
    const answer = await soon(preview(served), 'the time limit of the preview ends it');
    assert.deepEqual(answer, [504, 'SOURCE_TIMEOUT']);
  }
  assert.deepEqual(served.operations.aborted, ['preview customers', 'preview customers']);
  served.operations.previewEnd = new SluiceError('TOO_MANY_REQUESTS', 'there was no room');
  const answer = await soon(preview(served), 'the time limit of the preview ends it');
  assert.deepEqual(answer, [429, 'TOO_MANY_REQUESTS'], 'no source is to blame');
  await served.dispose();
});

test('previews that hang are bounded in number, and ended by closing', async () => {
  const served = await Served.start({ limits: { probes: 2, closeTimeoutMs: 600_000 } });
  served.operations.previewHangs = true;
  const hanging = [preview(served), preview(served)];
  await until(() => served.operations.previewing === 2, 'both previews begin');
  const [status, code] = await soon(preview(served), 'the third is answered');
  assert.deepEqual([status, code], [429, 'TOO_MANY_REQUESTS']);
  await soon(served.dispose(), 'the server is closed');
  for (const answer of hanging) assert.deepEqual(await answer, [503, 'CANCELLED']);
  assert.equal(served.operations.previewing, 0);
});

test('closing does not wait forever for a request that does not end', async () => {
  const served = await Served.start({ limits: { closeTimeoutMs: 50 } });
  let begun: () => void = () => {};
  const began = new Promise<void>(resolve => {
    begun = resolve;
  });
  served.operations.reload = () => {
    begun();
    return new Promise(() => {});
  };
  const connection = await RawConnection.open(served.port);
  connection.write(`POST /v1/reload HTTP/1.1\r\n${HOST}\r\n`);
  await began;
  await soon(Promise.all([served.dispose(), served.server.close()]), 'the server is closed');
  await soon(connection.closed(), 'the connection is closed');
});
