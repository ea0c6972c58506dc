import assert from 'node:assert/strict';
import test from 'node:test';
import { loadSnapshot } from '../../../src/config/snapshot.ts';
import { ENVIRONMENT, parse, problems, yaml } from '../support.ts';

const URL_OF_QUEUE = 'postgres://queue:pw-of-queue@db.example.com/jobs';
const STATE = '\nstate: { destination: lake }';
const queueOf = (activation: Record<string, unknown>, state = STATE, more = ''): string =>
  yaml(activation, `${more}queue: { url: "${URL_OF_QUEUE}" }${state}\n`);

test('a queue needs state that all hosts share', () => {
  parse(queueOf({}));
  assert.match(
    problems(queueOf({}, '')).join(),
    /^queue needs state that all hosts share, since dataDirectory/,
  );
  const local = '\nstate: { folder: /var/lib/state }';
  assert.match(problems(queueOf({}, local)).join(), /^state\.folder is a folder of this machine/);
});

test('what workers cannot make is refused where there is a queue, with the reason', () => {
  const refused = (activation: Record<string, unknown>, more = ''): string =>
    problems(queueOf(activation, STATE, more)).join('\n');
  assert.match(
    refused({ runType: 'full_then_delta', syncMode: 'upsert' }),
    /^activations\.export\.runType is full_then_delta, and workers of a queue make full_only: a baseline is on one machine/,
  );
  assert.match(
    refused({ partitionBy: ['id'], mapping: ['id'], fileName: 'x/{column.id}' }),
    /^activations\.export\.partitionBy groups the rows of the whole source/,
  );
  const params = 'models:\n  customers: { params: { day: { type: date, default: "{run_time}" } }, ';
  const text = queueOf({}).replace('models:\n  customers: { ', params).replace('select 1', 'select :day');
  assert.match(problems(text).join(), /^activations\.export\.model has parameters/);
});

test('the URL of a queue is a secret, and a URL of PostgreSQL', () => {
  const found = problems(queueOf({}).replace(URL_OF_QUEUE, 'mysql://queue:pw-of-queue@db/jobs')).join();
  assert.match(found, /^queue\.url is \(hidden\); expected a URL that starts with postgres/);
  assert.doesNotMatch(found, /pw-of-queue/);
});

test('the part of the configuration that a run is given has queue and state, with its destination', () => {
  const other = `
  other:
    type: azure-blob
    accountUrl: https://acme.blob.core.windows.net
    container: states
    auth: { sasToken: "\${AZURE_SAS_TOKEN}" }
  unused:
    type: azure-blob
    accountUrl: https://acme.blob.core.windows.net
    container: unused
    auth: { sasToken: "\${AZURE_SAS_TOKEN}" }
models:`;
  const text = queueOf({}, '\nstate: { destination: other }').replace('\nmodels:', other);
  const { config } = loadSnapshot(parse(text).snapshotOf('export').reveal(), ENVIRONMENT);
  assert.deepEqual(Object.keys(config.destinations).sort(), ['lake', 'other']);
  assert.equal(config.queue?.url.reveal(), URL_OF_QUEUE);
  assert.equal(config.queue.slicesPerSource, 8);
});
