/** Tokens with a name, a right and the activations that they see. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { OpenApiClient } from './support/openapi-client.ts';
import { configWith, type NamedToken, Served } from './support/served.ts';

const TOKENS = {
  reader: { name: 'grafana', token: 'reader-0123456789abcdef', may: 'read' },
  viewer: { name: 'analyst', token: 'viewer-0123456789abcdef', may: 'preview' },
  writer: { name: 'airflow', token: 'writer-0123456789abcdef', may: 'write' },
  crm: {
    name: 'crm team',
    token: 'crm-team-0123456789abcdef',
    may: 'write',
    activations: ['crm_*', 'shared'],
  },
  crmReader: { name: 'crm board', token: 'crm-board-0123456789abcdef', may: 'read', activations: ['crm_*'] },
} as const satisfies Record<string, NamedToken>;

type Who = keyof typeof TOKENS;
interface Failed {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
}

let served: Served;
let document: OpenApiClient['document'];
const as = (who: Who): OpenApiClient => new OpenApiClient(served.url, document, TOKENS[who].token);

before(async () => {
  served = await Served.start({
    activations: ['crm_customers', 'shared', 'salaries'],
    tokens: Object.values(TOKENS),
  });
  document = (await served.client(TOKENS.writer.token)).document;
});
after(() => served.dispose());

const path = (name: string): { path: { name: string } } => ({ path: { name } });

test('read sees no rows, preview sees them and changes nothing, write does all', async () => {
  const statusOf = async (who: Who, operation: string): Promise<number> =>
    (await as(who).call(operation, path('crm_customers'))).status;
  const statuses: Record<string, number[]> = {};
  for (const who of ['reader', 'viewer', 'writer'] as const) {
    statuses[who] = [];
    for (const operation of ['getActivation', 'previewActivation', 'pauseActivation'])
      statuses[who].push(await statusOf(who, operation));
  }
  assert.deepEqual(statuses, { reader: [200, 403, 403], viewer: [200, 200, 403], writer: [200, 200, 200] });
  await as('writer').call('resumeActivation', path('crm_customers'));
  const { body } = await as('viewer').call<Failed>('triggerRun', path('crm_customers'));
  assert.equal(body.error.message, 'token analyst may not change anything');
  assert.equal(body.error.hint, 'use a token that may write (daemon.tokens)');
});

test('to a token other activations and their runs are not there', async () => {
  const { run } = (await as('writer').call<RunRecord>('triggerRun', path('salaries'))).body;
  const own = (await as('crm').call<RunRecord>('triggerRun', path('crm_customers'))).body.run;
  const crm = as('crm');
  for (const id of crm.operationIds) {
    const parameters = document.paths;
    const target = Object.keys(parameters).find(key =>
      Object.values(parameters[key]!).some(({ operationId }) => operationId === id),
    )!;
    if (!/\{(?:name|id)\}/.test(target)) continue;
    const { status, body } = await crm.call<Failed>(id, { path: { name: 'salaries', id: run } });
    assert.equal(status, 404, id);
    assert.doesNotMatch(JSON.stringify(body).replace('"salaries', ''), /salaries/, id);
    const what = target.includes('/plans/') ? 'plan' : 'run';
    if (target.includes('{id}')) assert.equal(body.error.message, `there is no ${what} ${run}`);
    else assert.match(body.error.message, /crm_customers, shared/);
  }
  const names = (await crm.call<{ activations: { name: string }[] }>('listActivations')).body.activations;
  assert.deepEqual(
    names.map(({ name }) => name),
    ['crm_customers', 'shared'],
  );
  const runs = async (who: Who): Promise<string[]> =>
    (await as(who).call<{ runs: RunRecord[] }>('listRuns')).body.runs.map(({ run }) => run);
  assert.deepEqual(await runs('crmReader'), [own]);
  assert.deepEqual(await runs('reader'), [own, run]);
  const other = await crm.call('listRuns', { query: { activation: 'salaries' } });
  assert.equal(other.status, 404);
  assert.equal((await crm.call('getRun', { path: { id: own } })).status, 200);
  assert.equal((await as('writer').call<RunRecord>('getRun', { path: { id: run } })).body.state, 'queued');
});

test('an unknown name is answered with the names that the token sees', async () => {
  const { status, body } = await as('crmReader').call<Failed>('getActivation', path('crm_nothing'));
  assert.equal(status, 404);
  assert.match(body.error.message, /there is no activation "crm_nothing".*crm_customers/);
  assert.doesNotMatch(body.error.message, /salaries|shared/);
});

test('a token for some activations may not reload, and sees no problems of others', async () => {
  const { status, body } = await as('crm').call<Failed>('reload');
  assert.equal(status, 403);
  assert.match(body.error.message, /a reload concerns all/);
  assert.equal((await as('writer').call('reload')).status, 200);
  served.operations.problems = ['salaries cannot be recovered'];
  const ready = await as('crm').call<{ problems: string[] }>('getReadiness');
  assert.deepEqual(ready.body.problems, []);
});

test('metrics are told which activations the token sees', async () => {
  assert.match((await as('crm').call<string>('getMetrics')).body, /for orders false/);
  assert.doesNotMatch((await as('reader').call<string>('getMetrics')).body, /for orders/);
});

test('the stream of changes holds what the token sees', async () => {
  const stop = new AbortController();
  const stream = await as('crmReader').open('streamChanges', { signal: stop.signal });
  assert.equal(stream.status, 200);
  const hidden = (await as('writer').call<RunRecord>('triggerRun', path('salaries'))).body.run;
  const seen = (await as('writer').call<RunRecord>('triggerRun', path('crm_customers'))).body.run;
  for (const run of [hidden, seen]) await as('writer').call('cancelRun', { path: { id: run } });
  let text = '';
  const reader = stream.body!.getReader();
  const decoder = new TextDecoder();
  // Activations come last of all that is told together.
  while (!/event: activation/.test(text)) {
    const { value, done } = await reader.read();
    assert.ok(!done, text);
    text += decoder.decode(value, { stream: true });
  }
  stop.abort();
  assert.ok(text.includes(seen));
  assert.ok(!text.includes(hidden) && !text.includes('salaries'), text);
});

test('who calls is told the name, the right and the activations of the token', async () => {
  const me = async (who: Who): Promise<unknown[]> => {
    const { body } = await as(who).call<Record<string, unknown>>('getMe');
    return [body['may'], body['tokenName'], body['activations']];
  };
  assert.deepEqual(await me('viewer'), ['preview', 'analyst', undefined]);
  assert.deepEqual(await me('crm'), ['write', 'crm team', ['crm_*', 'shared']]);
});

test('the audit log has the names of tokens', async () => {
  const names = new Set((await served.audit()).map(({ token }) => token));
  assert.deepEqual([...names].sort(), ['airflow', 'crm team']);
});

test('names and rights of a reloaded configuration hold at once', async () => {
  const other = await Served.start({ tokens: [{ ...TOKENS.writer, activations: ['customers'] }] });
  try {
    const client = new OpenApiClient(other.url, document, TOKENS.writer.token);
    assert.equal((await client.call('getActivation', path('orders'))).status, 404);
    other.server.use(configWith({ tokens: [{ ...TOKENS.writer, may: 'read' }] }));
    assert.equal((await client.call('getActivation', path('orders'))).status, 200);
    assert.equal((await client.call('pauseActivation', path('orders'))).status, 403);
  } finally {
    await other.dispose();
  }
});
