import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { SluiceError } from '../../src/errors.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { describeState } from '../../src/state/describe-state.ts';
import { resetState } from '../../src/state/reset-state.ts';
import { everyNth } from '../support/all-cases.ts';
import {
  azureError,
  type BlobAnswer,
  type BlobHook,
  type BlobProxy,
  type BlobRequest,
  startBlobProxy,
} from '../support/blob-proxy.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const TABLE = `create table t (id int primary key, name text);
  insert into t select i, 'n' || i from generate_series(1, 5) i`;
const DELTA = { runType: 'full_then_delta', syncMode: 'insert', fileName: 't/{run}', maxFileRows: 2 };

const isFile = ({ method, comp }: BlobRequest): boolean => method === 'PUT' && comp === 'blocklist';
const isLatest = ({ method, blob }: BlobRequest): boolean =>
  method === 'PUT' && blob === '_sluice/exported/latest.json';

type Settings = Record<string, unknown>;

interface Subject {
  readonly exporter: Exporter;
  readonly proxy: BlobProxy;
  activation(settings?: Settings): ResolvedActivation;
  run(settings?: Settings, full?: boolean): Promise<{ record: RunRecord; recovered: readonly RunRecord[] }>;
  /** Ids of all rows that are visible, also those that are there twice. */
  ids(): Promise<number[]>;
}

function withSubject(act: (subject: Subject) => Promise<void>): Promise<void> {
  return withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const { accountUrl, accountKey } = exporter.container;
    const proxy = await startBlobProxy(accountUrl);
    const destination = { accountUrl: proxy.through(accountUrl), auth: { accountKey } };
    const activation = (settings: Settings = {}): ResolvedActivation =>
      exporter.activation({ ...DELTA, destination, ...settings });
    try {
      await act({
        exporter,
        proxy,
        activation,
        run: (settings, full = false) => exporter.run(activation(settings), { full }),
        ids: async () => {
          const files = await Promise.all((await exporter.files()).map(name => exporter.lines(name)));
          return files
            .flatMap(([, ...rows]) => rows.map(row => Number.parseInt(row, 10)))
            .sort((a, b) => a - b);
        },
      });
    } finally {
      await proxy.close();
    }
  });
}

/** Refuses what `matches`, from the `at`-th such request on. */
function refuse(matches: (request: BlobRequest) => boolean, answer: BlobAnswer, at = 1): BlobHook {
  let seen = 0;
  return request => (matches(request) && ++seen >= at ? answer : undefined);
}

const hasHeader =
  (name: string) =>
  (request: BlobRequest): boolean =>
    isFile(request) && request.headers[name] !== undefined;

/** What Azure refuses at a commit, by what it was sent with. */
const REFUSED_PROPERTIES: [string, Settings, string, BlobAnswer][] = [
  ['tags', { tags: { team: 'crm' } }, 'x-ms-tags', azureError(403, 'AuthorizationPermissionMismatch')],
  ['accessTier', { accessTier: 'Cool' }, 'x-ms-access-tier', azureError(400, 'InvalidHeaderValue')],
  [
    'accessTier',
    { accessTier: 'Cold' },
    'x-ms-access-tier',
    azureError(409, 'FeatureNotSupportedForAccount'),
  ],
  ['metadata', { metadata: { team: 'crm' } }, 'x-ms-meta-team', azureError(400, 'InvalidMetadata')],
];

for (const [key, blob, header, answer] of everyNth(3, REFUSED_PROPERTIES)) {
  test(`a run whose ${key} the first commit is refused for (${answer.status}) is withdrawn, and the next one without them makes the same changes`, () =>
    withSubject(async ({ exporter, proxy, run, activation, ids }) => {
      await run();
      const { baseline } = await describeState(activation());
      await exporter.database.sql(`insert into t values (6, 'n6')`);
      proxy.setHook(refuse(hasHeader(header), answer));
      const { record } = await run({ blob });
      assert.equal(record.state, 'failed');
      assert.equal(record.error?.retryable, false);
      assert.match(record.error.message, /nothing of run \S+ is published, and it is withdrawn/);
      assert.match(`${record.error.message} ${record.error.hint}`, new RegExp(`blob\\.${key}`));
      assert.deepEqual(await describeState(activation()).then(state => [state.pending, state.baseline]), [
        [],
        baseline,
      ]);
      const { record: next, recovered } = await run();
      assert.deepEqual([next.state, next.full, next.counts.written, recovered], ['succeeded', false, 1, []]);
      assert.deepEqual(await ids(), [1, 2, 3, 4, 5, 6]);
    }));

  test(`a run whose ${key} a later commit is refused for (${answer.status}) stays decided, and is finished without them`, () =>
    withSubject(async ({ proxy, run, activation, ids }) => {
      proxy.setHook(refuse(hasHeader(header), answer, 2));
      const { record } = await run({ blob });
      assert.equal(record.state, 'failed');
      assert.match(
        record.error?.message ?? '',
        /run \S+ is decided and unfinished, 1 of its 3 files are published and t\/\S+_part00002.csv is refused/,
      );
      assert.deepEqual((await describeState(activation())).pending, [record.run]);
      proxy.setHook(refuse(hasHeader(header), answer));
      const { record: again } = await run({ blob }, true);
      assert.match(
        again.error?.message ?? '',
        /1 of its 3 files are published/,
        'it looks before it commits',
      );
      const { record: next, recovered } = await run();
      assert.deepEqual(
        recovered.map(({ run: id, state }) => [id, state]),
        [[record.run, 'recovered']],
      );
      assert.deepEqual([next.state, next.counts.written], ['succeeded', 0]);
      assert.deepEqual(await ids(), [1, 2, 3, 4, 5]);
    }));
}

const REFUSED_BLOBS = [
  azureError(409, 'BlobImmutableDueToPolicy'),
  azureError(409, 'BlobArchived'),
  azureError(409, 'SnapshotsPresent'),
  azureError(412, 'LeaseIdMissing'),
  azureError(403, 'AuthorizationFailure'),
  azureError(403, 'AccountQuotaExceeded'),
  azureError(418, 'SomethingNew'),
];

for (const answer of everyNth(3, REFUSED_BLOBS)) {
  const code = answer.headers?.['x-ms-error-code'];
  test(`a fixed name whose blob is refused with ${code} withdraws the run, and leaves the next one nothing to wait for`, () =>
    withSubject(async ({ exporter, proxy, run, activation }) => {
      const settings = { syncMode: 'upsert', fileName: 'fixed', maxFileRows: 100 };
      await run(settings);
      await exporter.database.sql(`insert into t values (6, 'n6')`);
      proxy.setHook(refuse(isFile, answer));
      const { record } = await run(settings);
      assert.equal(record.state, 'failed');
      assert.match(record.error?.message ?? '', /is withdrawn/);
      assert.deepEqual((await describeState(activation())).pending, []);
      proxy.setHook(undefined);
      const { record: next } = await run(settings);
      assert.deepEqual([next.state, next.counts.written, next.generation], ['succeeded', 1, 2]);
    }));
}

test('a refused commit whose first request was done, though its answer was lost, is published', () =>
  withSubject(async ({ proxy, run, ids }) => {
    let commits = 0;
    proxy.setHook(request => {
      if (!isFile(request)) return undefined;
      return ++commits === 1 ? 'reset-after-apply' : azureError(403, 'AuthorizationPermissionMismatch');
    });
    const { record } = await run({ maxFileRows: 100 });
    assert.equal(record.state, 'succeeded', record.error?.message);
    assert.deepEqual(await ids(), [1, 2, 3, 4, 5]);
  }));

test('a run of which nobody can say whether it is published is not withdrawn', () =>
  withSubject(async ({ proxy, run, activation, ids }) => {
    let refusing = false;
    proxy.setHook(request => {
      refusing ||= isFile(request);
      return refusing ? azureError(403, 'AuthorizationPermissionMismatch') : undefined;
    });
    const { record } = await run();
    assert.equal(record.error?.code, 'DESTINATION_PERMISSION');
    assert.match(record.error.message, /whether any of it is published cannot be looked up/);
    assert.deepEqual((await describeState(activation())).pending, [record.run]);
    proxy.setHook(undefined);
    const { recovered } = await run();
    assert.deepEqual(
      recovered.map(({ run: id }) => id),
      [record.run],
    );
    assert.deepEqual(await ids(), [1, 2, 3, 4, 5]);
  }));

test('giving a decided run up lists what is visible of it and keeps the baseline', () =>
  withSubject(async ({ exporter, proxy, run, activation }) => {
    await run();
    const { baseline } = await describeState(activation());
    await exporter.database.sql(`insert into t select i, 'n' || i from generate_series(6, 9) i`);
    proxy.setHook(refuse(isFile, azureError(409, 'BlobImmutableDueToPolicy'), 2));
    const { record } = await run();
    const before = await exporter.files();
    proxy.setHook(undefined);
    const report = await resetState({ activation: activation(), abandonDecided: true });
    assert.deepEqual(report.abandoned, [record.run]);
    assert.deepEqual(report.left, [{ run: record.run, visible: [`t/${record.run}.csv`] }]);
    assert.deepEqual(await describeState(activation()).then(state => [state.pending, state.baseline]), [
      [],
      baseline,
    ]);
    assert.deepEqual(await exporter.files(), before);
    const { record: next } = await run();
    assert.deepEqual([next.state, next.full, next.counts.written], ['succeeded', false, 4]);
  }));

test('latest.json that may not be replaced keeps a delta unfinished, until the configuration does without manifests', () =>
  withSubject(async ({ proxy, run, ids }) => {
    await run();
    proxy.setHook(refuse(isLatest, azureError(409, 'BlobImmutableDueToPolicy')));
    const { record } = await run();
    assert.equal(record.error?.code, 'DESTINATION_REFUSED');
    assert.match(record.error.message, /its files are in place and _sluice\/exported\/latest.json is not/);
    assert.match(record.error.message, /Sluice keeps this blob for itself/);
    assert.match(record.error.hint, /exempt `_sluice\/`.*`manifest: false`/);
    const { record: next, recovered } = await run({ manifest: false });
    assert.deepEqual(
      recovered.map(({ run: id }) => id),
      [record.run],
    );
    assert.equal(next.state, 'succeeded', next.error?.message);
    assert.deepEqual(await ids(), [1, 2, 3, 4, 5]);
  }));

for (const code of everyNth(3, ['BlobImmutableDueToPolicy', 'BlobArchived', 'LeaseIdMissing'])) {
  test(`a full_only run does without latest.json that is refused with ${code}, says so, and counts its generations on`, () =>
    withSubject(async ({ exporter, proxy, run }) => {
      const settings = { runType: 'full_only', syncMode: 'snapshot' };
      await run(settings);
      const isOwn = ({ blob, method }: BlobRequest): boolean =>
        blob === '_sluice/exported/latest.json' &&
        method !== 'HEAD' &&
        (method === 'PUT' || code === 'BlobArchived');
      proxy.setHook(refuse(isOwn, azureError(code === 'LeaseIdMissing' ? 412 : 409, code)));
      for (const generation of [2, 3]) {
        const { record } = await run(settings);
        assert.deepEqual([record.state, record.generation], ['succeeded', generation], record.error?.message);
        const codes = record.warnings.map(warning => warning.code);
        assert.ok(codes.includes('RECORD_NOT_KEPT'), codes.join());
        assert.equal((await exporter.manifest('exported', record.run))['generation'], generation);
      }
      assert.equal((await exporter.manifest('exported'))['generation'], 1);
      proxy.setHook(undefined);
      assert.equal((await run(settings)).record.generation, 4);
    }));
}

for (const [what, content] of [
  ['lists a file that is null', { version: 1, run: 'r', generation: 1, files: [null] }],
  [
    'lists a part that there is not',
    { version: 1, run: 'r', generation: 1, files: [{ name: 'out.csv', part: 0 }] },
  ],
  [
    'has a generation that nothing can follow',
    { version: 1, run: 'r', generation: 9007199254740991, files: [] },
  ],
  ['is of another version', { version: 1 }],
  ['has files of another form', { version: 1, run: 'r', generation: 1, files: [{ name: 1, part: '2' }] }],
  ['is null', null],
] as const) {
  test(`latest.json that ${what} stops a delta by its name, and a full run replaces it`, () =>
    withSubject(async ({ exporter, run }) => {
      await run();
      const bytes = JSON.stringify(content);
      await exporter.container.client
        .getBlockBlobClient('_sluice/exported/latest.json')
        .upload(bytes, bytes.length);
      const { record } = await run();
      assert.equal(record.error?.code, 'DESTINATION_RESET', record.error?.message);
      assert.match(
        record.error.message,
        /^_sluice\/exported\/latest.json is not a manifest that Sluice wrote \(/,
      );
      const { record: full } = await run({}, true);
      assert.deepEqual([full.state, full.generation], ['succeeded', 2], full.error?.message);
      assert.match(full.warnings.map(({ message }) => message).join(), /is not a manifest that Sluice wrote/);
      const { record: delta } = await run();
      assert.deepEqual([delta.state, delta.full, delta.generation], ['succeeded', false, 3]);
    }));
}

test('a message about thousands of files that could not be taken back names the first of them', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t as select i as id from generate_series(1, 25) i');
    const { record } = await exporter.run(exporter.activation({ partitionBy: ['id'] }), {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          commitBlocks: async (name, ...rest) => {
            if (name === 'id=9/out.csv')
              await exporter.container.client.getBlockBlobClient(name).upload('foreign', 7);
            return parts.store.commitBlocks(name, ...rest);
          },
          deleteBlob: () =>
            Promise.reject(
              new SluiceError('DESTINATION_REFUSED', 'may not delete', { stage: 'destination' }),
            ),
        }),
      }),
    });
    assert.equal(record.error?.code, 'DESTINATION_EXISTS');
    assert.equal(
      record.error.message,
      `id=9/out.csv came into being while the run was under way; the run was dropped, and its rows in ${[1, 10, 11, 12, 13, 14, 15, 16, 17, 18].map(id => `id=${id}/out.csv`).join(', ')} and 14 more could not be taken back`,
    );
  }));
