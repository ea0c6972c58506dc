/** Plans and samples over HTTP: who may see rows. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PlanRecord } from '../../../src/daemon/operations.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { OpenApiClient } from './support/openapi-client.ts';
import { type NamedToken, Served } from './support/served.ts';

const TOKENS = {
  reader: { name: 'board', token: 'reader-0123456789abcdef', may: 'read' },
  viewer: { name: 'analyst', token: 'viewer-0123456789abcdef', may: 'preview' },
  writer: { name: 'airflow', token: 'writer-0123456789abcdef', may: 'write' },
  crm: { name: 'crm', token: 'crm-team-0123456789abcdef', may: 'write', activations: ['crm_*'] },
} as const satisfies Record<string, NamedToken>;

let served: Served;
let document: OpenApiClient['document'];
const as = (who: keyof typeof TOKENS): OpenApiClient =>
  new OpenApiClient(served.url, document, TOKENS[who].token);

before(async () => {
  served = await Served.start({ activations: ['crm_customers', 'salaries'], tokens: Object.values(TOKENS) });
  document = (await served.client(TOKENS.writer.token)).document;
});
after(() => served.dispose());

const ofName = (name: string): { path: { name: string } } => ({ path: { name } });

test('a plan is asked for with the right to preview, answered with its place, and asked for again there', async () => {
  assert.equal((await as('reader').call('planActivation', ofName('salaries'))).status, 403);
  const asked = await as('viewer').call<PlanRecord>('planActivation', {
    ...ofName('salaries'),
    body: { rows: 3, full: true },
  });
  assert.equal(asked.status, 202);
  const { plan } = asked.body;
  assert.equal(asked.headers.get('location'), `/v1/plans/${plan}`);
  assert.deepEqual(asked.body.asked, { rows: 3, full: true });
  const again = await as('writer').call<PlanRecord>('getPlan', { path: { id: plan }, query: { wait: '1s' } });
  assert.deepEqual([again.status, again.body], [200, asked.body]);
  assert.equal((await as('reader').call('getPlan', { path: { id: plan } })).status, 403);
  const tooMany = await as('viewer').call('planActivation', { ...ofName('salaries'), body: { rows: 101 } });
  assert.equal(tooMany.status, 400);
  // The parser has made another number of it.
  const changed = await as('viewer').call('planActivation', {
    ...ofName('salaries'),
    body: { params: { id: 2 ** 53 } },
  });
  assert.equal(changed.status, 400);
  assert.match(JSON.stringify(changed.body), /one of more than 15 digits as text/);
});

test('to a token of some activations the plans of others are not there', async () => {
  const { plan } = (await as('writer').call<PlanRecord>('planActivation', ofName('salaries'))).body;
  assert.equal((await as('crm').call('getPlan', { path: { id: plan } })).status, 404);
  assert.equal((await as('crm').call('planActivation', ofName('salaries'))).status, 404);
  const own = (await as('crm').call<PlanRecord>('planActivation', ofName('crm_customers'))).body.plan;
  assert.equal((await as('crm').call('getPlan', { path: { id: own } })).status, 200);
});

test('the sample of a held run is shown to tokens that may preview, by getRun alone', async () => {
  const { run } = (await as('writer').call<RunRecord>('triggerRun', ofName('salaries'))).body;
  const key = [{ column: 'id', value: 'a row of salaries' }];
  const sample = { added: [], updated: [], removed: [{ key }], gaps: [] };
  served.operations.become(run, 'held', { reason: 'REMOVALS_OVER', sample });
  const path = { path: { id: run } };
  for (const who of ['viewer', 'writer'] as const)
    assert.deepEqual((await as(who).call<RunRecord>('getRun', path)).body.sample, sample);
  const withWait = await as('reader').call<RunRecord>('getRun', { ...path, query: { wait: '1s' } });
  assert.equal(withWait.body.state, 'held');
  const answers = [
    withWait.body,
    (await as('reader').call('getRun', path)).body,
    (await as('viewer').call('listRuns')).body,
    await (await as('viewer').open('streamRunEvents', path)).text(),
  ];
  for (const answer of answers) assert.doesNotMatch(JSON.stringify(answer), /a row of salaries/);
});
