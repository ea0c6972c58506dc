import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { EXIT } from '../../src/errors.ts';
import { everyNth } from '../support/all-cases.ts';
import { ORCHESTRATOR_CLIENTS, type Outcome, startClient } from './support/orchestrator-clients.ts';

/**
 * What the clients of docs/orchestrators make of answers that a daemon, or a proxy before
 * it, seldom gives.
 */

const TOKEN = 'a-token-of-the-orchestrator';
const RUN = '20250414-070000-123-k3f9ab';

let server: Server;
let url: string;
let requests: { readonly method: string; readonly path: string; readonly key: string }[];
/** Answers the request of that number, counted from 0. */
let answer: (response: ServerResponse, index: number) => void;

before(async () => {
  server = createServer((request: IncomingMessage, response) => {
    const key = String(request.headers['idempotency-key'] ?? '');
    const index = requests.push({ method: request.method!, path: request.url!, key }) - 1;
    answer(response, index);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
});

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

const failure = (code: string, retryable: boolean) => ({
  error: { code, category: 'configuration', message: 'as it is', hint: 'do something', retryable },
});
const run = (state: string, more: object = {}) => ({ run: RUN, activation: 'all', state, ...more });

for (const client of everyNth(2, ORCHESTRATOR_CLIENTS)) {
  describe(client.name, { skip: client.skip }, () => {
    const call = (
      answers: typeof answer,
      {
        args = ['all', 'key'],
        ...environment
      }: { args?: string[]; SLUICE_URL?: string; SLUICE_PATIENCE?: string } = {},
    ): Promise<Outcome> => {
      requests = [];
      answer = answers;
      return startClient(client, args, { SLUICE_URL: url, SLUICE_TOKEN: TOKEN, ...environment }).ended;
    };

    test('follows what a refusal says of another try', async () => {
      // As for an activation that paused itself: it resumes when its source answers
      // again.
      const passing = await call(response =>
        send(response, 409, failure('ACTIVATION_PAUSED', true), { 'Retry-After': '60' }),
      );
      assert.equal(passing.code, EXIT.retry);
      const lasting = await call(response => send(response, 409, failure('ACTIVATION_PAUSED', false)));
      assert.equal(lasting.code, EXIT.failed);
      for (const { stderr } of [passing, lasting]) assert.match(stderr, /ACTIVATION_PAUSED/);
      assert.equal(requests.length, 1);
    });

    test('asks again where a proxy has lost its backend, and where an answer is cut short', async () => {
      const { code, stdout, stderr } = await call((response, index) => {
        if (index === 0) return send(response, 503, 'no backend', { 'Retry-After': '0' });
        if (index === 1) return send(response, 202, run('queued'));
        if (index === 2) {
          response.writeHead(200, { 'Content-Length': '1000' });
          response.write('{"run":', () => response.destroy());
          return;
        }
        send(response, 200, run('succeeded', { files: [] }));
      });
      assert.equal(code, EXIT.done, stderr);
      assert.equal(JSON.parse(stdout).state, 'succeeded');
      assert.deepEqual(
        requests.map(({ method }) => method),
        ['POST', 'POST', 'GET', 'GET'],
      );
    });

    test('waits for less long than the proxies before a daemon', async () => {
      await call((response, index) => send(response, 200, run(index === 0 ? 'reading' : 'succeeded')));
      const [, wait] = /wait=(\d+)s$/.exec(requests[1]!.path)!;
      assert.ok(Number(wait) < 20, wait);
    });

    test('gives a key up that made many runs which did not succeed', async () => {
      const { code, stderr } = await call(response =>
        send(response, 202, run('held'), { 'Idempotency-Replayed': 'true' }),
      );
      assert.equal(code, EXIT.failed);
      assert.match(stderr, /another key/);
      assert.deepEqual(
        requests.map(({ key }) => key),
        ['key', ...Array.from({ length: 49 }, (_, index) => `key.${index + 2}`)],
      );
    });

    test('gives up for the time being where nobody answers', async () => {
      const gone = createServer();
      await new Promise<void>(resolve => gone.listen(0, '127.0.0.1', resolve));
      const { port } = gone.address() as AddressInfo;
      await new Promise(resolve => gone.close(resolve));
      const { code, stderr } = await call(() => {}, {
        SLUICE_URL: `http://127.0.0.1:${port}`,
        SLUICE_PATIENCE: '0',
      });
      assert.equal(code, EXIT.retry, stderr);
      assert.doesNotMatch(stderr, /Traceback/);
    });

    test('refuses at once what no repetition fixes', async () => {
      const wrong: readonly Parameters<typeof call>[1][] = [
        { args: ['all customers', 'key'] },
        { args: ['all/../../x', 'key'] },
        { args: ['', 'key'] },
        { args: ['all', 'a key'] },
        { args: ['all', 'key\nAuthorization: Bearer x'] },
        { args: ['all'] },
        { SLUICE_URL: '' },
        { SLUICE_URL: 'http://127.0.0.1:port' },
        { SLUICE_URL: 'gopher+sluice://127.0.0.1' },
      ];
      for (const options of everyNth(3, wrong)) {
        const { code, stderr } = await call(response => send(response, 202, run('succeeded')), options);
        assert.equal(code, EXIT.usage, `${JSON.stringify(options)}: ${stderr}`);
        assert.doesNotMatch(stderr, /Traceback/);
      }
      assert.equal(requests.length, 0);
    });

    test('says so where something else than a daemon answers', async () => {
      const { code, stderr } = await call(response => send(response, 200, '<html>Sign in</html>'));
      assert.equal(code, EXIT.failed);
      assert.match(stderr, /not .* Sluice/);
      assert.doesNotMatch(stderr, /Traceback/);
    });

    test('does not carry the token to where it is sent on to', async () => {
      const { code } = await call(response => send(response, 302, '', { Location: `${url}/elsewhere` }));
      assert.equal(code, EXIT.failed);
      assert.deepEqual(
        requests.map(({ path }) => path),
        ['/v1/activations/all/runs'],
      );
    });
  });
}
