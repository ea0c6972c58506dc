import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { SluiceError } from '../../../src/errors.ts';
import type { RunRecord } from '../../../src/run/run-record.ts';
import { RawConnection } from './support/raw-http.ts';
import { Served } from './support/served.ts';

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
  while (served.operations.listenersOf(run) < 2) await turn();
  await served.dispose();
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
  await Promise.all([served.dispose(), silent.closed(), idle.closed()]);
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
      return { added: ['late'], removed: [], changed: [] };
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
  while (!served.lines.some(({ fields }) => fields['status'] === 503)) await turn();
  finish();
  const first = await connection.answer();
  assert.deepEqual(
    [first?.status, JSON.parse(first?.text ?? '')],
    [200, { added: ['late'], removed: [], changed: [] }],
  );
  const second = await connection.answer();
  assert.deepEqual([second?.status, second?.headers.get('connection')], [503, 'close']);
  later.destroy();
  await closing;
});

test('a preview that hangs is ended by its time limit, and by closing', async () => {
  const served = await Served.start({ limits: { probeTimeoutMs: 50, probes: 2 } });
  served.operations.previewHangs = true;
  const client = await served.client();
  const preview = () =>
    client.call<{ error: { code: string } }>('previewActivation', { path: { name: 'customers' } });
  const late = await preview();
  assert.deepEqual([late.status, late.body.error.code], [504, 'SOURCE_TIMEOUT']);
  assert.deepEqual(served.operations.aborted, ['preview customers']);
  const three = await Promise.all([preview(), preview(), preview()]);
  assert.deepEqual(three.map(({ status }) => status).sort(), [429, 504, 504]);
  served.operations.previewEnd = new SluiceError('TOO_MANY_REQUESTS', 'there was no room');
  const never = await preview();
  assert.deepEqual(
    [never.status, never.body.error.code],
    [429, 'TOO_MANY_REQUESTS'],
    'no source is to blame',
  );
  assert.ok(never.headers.has('retry-after'));
  await served.dispose();

  const slow = await Served.start();
  slow.operations.previewHangs = true;
  const hanging = (await slow.client()).call<{ error: { code: string } }>('previewActivation', {
    path: { name: 'customers' },
  });
  while (!slow.operations.isPreviewing) await turn();
  await slow.dispose();
  const { status, body } = await hanging;
  assert.deepEqual([status, body.error.code], [503, 'CANCELLED']);
});

test('closing does not wait for ever for a request that does not end', async () => {
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
  await Promise.all([served.dispose(), served.server.close()]);
  await connection.closed();
});

const turn = () => new Promise(resolve => setImmediate(resolve));
