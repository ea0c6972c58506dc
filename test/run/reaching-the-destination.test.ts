import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunProgress } from '../../src/run/export-run.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { backupState } from '../../src/state/back-up-state.ts';
import { verifyRun } from '../../src/verify/verify-run.ts';
import { azureError, type BlobProxy, startBlobProxy } from '../support/blob-proxy.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const { signal } = new AbortController();
const DELTA = { runType: 'full_then_delta', syncMode: 'upsert' };

/** A table of three rows, and a proxy before the container. */
async function withProxy(act: (exporter: Exporter, proxy: BlobProxy) => Promise<void>): Promise<void> {
  await withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key, v text); insert into t select 1, $$a$$');
    const proxy = await startBlobProxy(exporter.container.accountUrl);
    try {
      await act(exporter, proxy);
    } finally {
      await proxy.close();
    }
  });
}

const through = ({ container }: Exporter, proxy: BlobProxy) => ({
  auth: {
    connectionString: `AccountName=${container.accountName};AccountKey=${container.accountKey};BlobEndpoint=${proxy.through(container.accountUrl)}`,
  },
});

test('every request of every operation stays below the folder of the destination', () =>
  withProxy(async (exporter, proxy) => {
    const destination = { ...through(exporter, proxy), folder: 'crm/eu' };
    const activation = exporter.activation({ destination, ...DELTA });
    const validation = await validateActivation({ activation, offline: false, signal });
    assert.deepEqual(
      validation.checks.filter(({ outcome }) => outcome === 'failed'),
      [],
    );
    const { record, error } = await exporter.run(activation);
    assert.equal(record.state, 'succeeded', String(error));
    assert.ok((await verifyRun({ run: record.run, activations: [activation], signal })).ok);
    await backupState({ activation, force: false, signal });
    const strays = proxy.requests.filter(({ blob }) => !blob?.startsWith('crm/eu/'));
    assert.deepEqual(
      strays.map(({ method, url }) => `${method} ${url}`),
      [],
    );
    assert.ok(proxy.requests.length > 8);
  }));

for (const [what, make] of [
  [
    'an append blob',
    (name: string, { client }: Exporter['container']) => client.getAppendBlobClient(name).create(),
  ],
  [
    'a page blob',
    (name: string, { client }: Exporter['container']) => client.getPageBlobClient(name).create(512),
  ],
  [
    'a directory',
    (name: string, { client }: Exporter['container']) =>
      client.getBlockBlobClient(name).upload('', 0, { metadata: { hdi_isfolder: 'true' } }),
  ],
] as const) {
  test(`${what} under the name is found before the source is asked, and by validate`, () =>
    withExporter(async exporter => {
      await make('out.csv', exporter.container);
      // A model that the source would refuse.
      const activation = exporter.activation({ sql: 'select * from absent', primaryKey: [] });
      const { record } = await exporter.run(activation);
      assert.equal(record.error?.code, 'DESTINATION_REFUSED');
      assert.match(
        record.error?.message ?? '',
        new RegExp(`out\\.csv is ${what}, which no file can replace`),
      );
      const { checks } = await validateActivation({ activation, offline: false, signal });
      const failed = checks.flatMap(check =>
        check.outcome === 'failed' ? [[check.check, check.error.code]] : [],
      );
      assert.deepEqual(failed, [
        ['source', 'SOURCE_QUERY_INVALID'],
        ['destination', 'DESTINATION_REFUSED'],
      ]);
    }));
}

for (const [name, settings] of [
  ['out.csv', {}],
  ['out.csv', { ifExists: 'fail' }],
  ['out.csv', { ifExists: 'skip' }],
  ['out_part00002.csv', { maxFileRows: 1 }],
] as const) {
  test(`blocks that another tool left behind on ${name} are dropped (${JSON.stringify(settings)})`, () =>
    withExporter(async exporter => {
      await exporter.database.sql('create table t (id int primary key); insert into t values (1), (2)');
      await exporter.container.client.getBlockBlobClient(name).stageBlock('YQ==', 'x', 1);
      const { record, error } = await exporter.run(exporter.activation(settings));
      assert.equal(record.state, 'succeeded', String(error));
      assert.deepEqual(record.warnings, []);
      const expected = name === 'out.csv' ? 'id\n1\n2\n' : 'id\n2\n';
      assert.equal((await exporter.container.download(name)).toString(), expected);
    }));
}

const withSas = ({ container }: Exporter, permissions: string) => ({
  accountUrl: container.accountUrl,
  auth: { sasToken: container.sas(permissions) },
});

test('validate says which blocks of another tool a run drops', () =>
  withExporter(async exporter => {
    await exporter.container.client.getBlockBlobClient('out.csv').stageBlock('YQ==', 'x', 1);
    for (const ifExists of ['overwrite', 'fail', 'skip']) {
      const activation = exporter.activation({ sql: 'select 1 as id', ifExists });
      const { checks } = await validateActivation({ activation, offline: false, signal });
      assert.deepEqual(
        checks.filter(({ outcome }) => outcome !== 'passed'),
        [
          {
            check: 'destination',
            outcome: 'warned',
            message: 'another tool has staged blocks on out.csv and not committed them; a run drops them',
          },
        ],
        ifExists,
      );
    }
  }));

for (const [what, prepare, permissions, ifExists, hint] of [
  ['without the right to delete', [], 'rcw', 'overwrite', /^give the credentials delete \(d\)/],
  ['without the right to delete', [], 'rcw', 'skip', /^give the credentials delete \(d\)/],
  [
    'under a blob that is there',
    ['upload'],
    'rcwd',
    'overwrite',
    /^upload the blob once more as it is.*or delete it/,
  ],
] as const) {
  test(`blocks of another tool ${what} are found before the source is asked, and by validate (${ifExists})`, () =>
    withExporter(async exporter => {
      const blob = exporter.container.client.getBlockBlobClient('out.csv');
      if (prepare.length > 0) await blob.upload('before', 6);
      await blob.stageBlock('YQ==', 'x', 1);
      // A model that the source would refuse.
      const destination = withSas(exporter, permissions);
      const settings = { sql: 'select * from absent', destination, ifExists };
      const activation = exporter.activation(settings);
      const { record } = await exporter.run(activation);
      const { checks } = await validateActivation({ activation, offline: false, signal });
      const checked = checks.find(({ check }) => check === 'destination');
      assert.ok(checked?.outcome === 'failed');
      for (const error of [record.error, checked.error]) {
        assert.equal(error?.code, 'DESTINATION_CONFLICT');
        assert.match(error.message, /another tool has staged blocks on out\.csv/);
        assert.match(error.hint, hint);
        assert.match(error.hint, /a week after the last of them was staged they are gone by themselves$/);
      }
      assert.equal((await exporter.files()).length, prepare.length);
      // What the hint says helps.
      if (prepare.length > 0) await blob.delete();
      const after = { ...settings, sql: 'select 1 as id', destination: withSas(exporter, 'rcwd') };
      const { record: next, error } = await exporter.run(exporter.activation(after));
      assert.equal(next.state, 'succeeded', String(error));
      assert.equal((await exporter.container.download('out.csv')).toString(), 'id\n1\n');
    }));
}

test('the clock of the service says when a SAS token expires', () =>
  withProxy(async (exporter, proxy) => {
    const { container } = exporter;
    const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000);
    const auth = { sasToken: container.sas('rwd', inDays(20)) };
    const destination = { accountUrl: proxy.through(container.accountUrl), auth };
    const activation = exporter.activation({ destination, warnings: { sasExpiresWithin: '7d' } });
    for (const [ahead, outcome] of [
      [0, 'passed'],
      [15, 'warned'],
    ] as const) {
      const date = inDays(ahead).toUTCString();
      proxy.setHook(({ method }) =>
        method === 'GET' || method === 'HEAD' ? azureError(404, 'BlobNotFound', { date }) : undefined,
      );
      const { checks } = await validateActivation({ activation, offline: false, signal });
      assert.equal(checks.find(({ check }) => check === 'sas')?.outcome, outcome);
      const { record } = await exporter.run({ ...activation, fileName: `ahead${ahead}` });
      const isWarned = record.warnings.some(({ code }) => code === 'SAS_EXPIRES');
      assert.equal(isWarned, outcome === 'warned');
    }
  }));

test('a destination that does not answer is named while it is tried again, for 30 s at most', () =>
  withExporter(async exporter => {
    const { accountName, accountKey } = exporter.container;
    const connectionString = `AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=http://127.0.0.1:1/${accountName}`;
    const activation = exporter.activation({ destination: { auth: { connectionString } } });
    const abort = new AbortController();
    let look: (() => RunProgress) | undefined;
    const began = Date.now();
    const running = exporter.run(activation, {
      signal: abort.signal,
      observe: progress => (look = progress),
    });
    while (look?.().waiting === undefined) await sleep(5);
    const { phase, connectingTo, waiting = '' } = look();
    abort.abort();
    await running;
    assert.deepEqual([phase, connectingTo], ['connecting', 'destination']);
    const [, until] =
      /^the storage account does not answer \(ECONNREFUSED\); trying again until ([\d:]{8}) UTC$/.exec(
        waiting,
      ) ?? [];
    assert.ok(until !== undefined, waiting);
    const time = Date.parse(`${new Date(began).toISOString().slice(0, 10)}T${until}Z`);
    assert.ok(time - began <= 31_000, waiting);
  }));
