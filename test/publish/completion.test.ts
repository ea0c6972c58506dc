import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { recoverActivation } from '../../src/run/recover-activation.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { describeState } from '../../src/state/describe-state.ts';
import { resetState } from '../../src/state/reset-state.ts';

import { azureError, type BlobProxy, type BlobRequest, startBlobProxy } from '../support/blob-proxy.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const TABLE = `create table t (id int primary key, name text);
  insert into t select i, 'n' || i from generate_series(1, 5) i`;
const DELTA = { runType: 'full_then_delta', syncMode: 'upsert' };
const CONTROL = { name: '{file}.ctl', content: '{file};{rows};{bytes};{crc64};{sha256};{run};{kind}\n' };

const text = async (exporter: Exporter, name: string): Promise<string> =>
  (await exporter.container.download(name)).toString();

for (const manifest of [true, false]) {
  test(`an empty _SUCCESS lies in the folder that all files share, and each file has its control file (manifest: ${manifest})`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const settings = { fileName: 'a/{part}/b', maxFileRows: 2, manifest, destination: { folder: 'crm' } };
      const activation = exporter.activation({
        ...settings,
        completion: { success: '_SUCCESS', control: CONTROL },
      });
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      const names = ['00001', '00002', '00003'].map(part => `crm/a/${part}/b.csv`);
      const controls = names.map(name => `${name}.ctl`);
      assert.deepEqual(await exporter.files(), [...names, ...controls, 'crm/a/_SUCCESS'].sort());
      assert.equal(await text(exporter, 'crm/a/_SUCCESS'), '');
      for (const [index, { name, rows, bytes, crc64, sha256 }] of record.files.entries()) {
        const expected = `${[name, rows, bytes, crc64, sha256, record.run, 'full'].join(';')}\n`;
        assert.equal(await text(exporter, controls[index]!), expected);
      }
      assert.deepEqual(record.completion, [...controls, 'crm/a/_SUCCESS']);
      if (manifest) {
        const written = JSON.parse(await text(exporter, 'crm/_sluice/exported/latest.json'));
        assert.deepEqual(written['completion'], record.completion);
      }
    }));
}

test('one control file may tell of all files, as JSON too', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const control = {
      name: 'done/{YYYY}/{activation}.json',
      content: '{"run":"{run}","files":{files},"rows":{rows},"bytes":{bytes}}',
    };
    const activation = exporter.activation({ maxFileRows: 2, completion: { control } });
    const { record } = await exporter.run(activation);
    const [name = ''] = record.completion ?? [];
    assert.equal(name, `done/${record.startedAt.slice(0, 4)}/exported.json`);
    const { run, counts } = record;
    assert.deepEqual(JSON.parse(await text(exporter, name)), {
      run,
      files: 3,
      rows: 5,
      bytes: counts.bytes,
    });
  }));

for (const syncMode of ['upsert', 'insert', 'difference']) {
  test(`every run of ${syncMode} completes, also one that has nothing to write`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const activation = exporter.activation({
        ...DELTA,
        syncMode,
        fileName: 'd/x',
        onEmpty: 'skip',
        completion: { success: '_SUCCESS', control: { name: '{file}.ctl', content: '{rows}' } },
      });
      const first = (await exporter.run(activation)).record;
      const { record } = await exporter.run(activation);
      assert.deepEqual([record.files, record.completion], [[], ['d/_SUCCESS']]);
      const { metadata } = await exporter.container.client.getBlobClient('d/_SUCCESS').getProperties();
      assert.equal(metadata?.['run'], record.run);
      await exporter.database.sql(`insert into t values (6, 'n6')`);
      const third = (await exporter.run(activation)).record;
      for (const { files, completion } of [first, third]) {
        assert.deepEqual(completion, [...files.map(({ name }) => `${name}.ctl`), 'd/_SUCCESS']);
      }
      const name = syncMode === 'difference' ? 'd/x_added.csv.ctl' : 'd/x.csv.ctl';
      assert.equal(await text(exporter, name), '1');
    }));
}

test('what stands of an earlier run is gone before the first file is published, that of stale parts too', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const settings = { maxFileRows: 2, completion: { success: '_SUCCESS', control: CONTROL } };
    const activation = exporter.activation(settings);
    await exporter.run(activation);
    await exporter.database.sql('delete from t where id > 2');
    const order: string[] = [];
    const isMarker = (name: string): boolean => /\.ctl$|_SUCCESS$/.test(name);
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          commitBlocks: async (name, ...rest) => {
            order.push(`${name} with ${(await exporter.files()).filter(isMarker).length}`);
            return parts.store.commitBlocks(name, ...rest);
          },
          putBlob: (name, ...rest) => {
            order.push(name.replace(/.*\//, '').replace(/^\d{8}-.*/, 'RUN.json'));
            return parts.store.putBlob(name, ...rest);
          },
        }),
      }),
    });
    assert.deepEqual(record.warnings, []);
    assert.deepEqual(order, ['out.csv with 0', 'out.csv.ctl', '_SUCCESS', 'RUN.json', 'latest.json']);
    assert.deepEqual(await exporter.files(), ['_SUCCESS', 'out.csv', 'out.csv.ctl']);
  }));

test('a blob of somebody else under the name of a completion file is replaced with a warning', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    await exporter.container.client.getBlockBlobClient('_SUCCESS').upload('foreign', 7);
    const { record } = await exporter.run(exporter.activation({ completion: { success: '_SUCCESS' } }));
    assert.deepEqual(
      record.warnings.map(({ code }) => code),
      ['FOREIGN_BLOB_OVERWRITTEN'],
    );
    assert.equal(await text(exporter, '_SUCCESS'), '');
  }));

interface Subject {
  readonly exporter: Exporter;
  readonly proxy: BlobProxy;
  activation(settings?: Record<string, unknown>): ResolvedActivation;
}

function withProxy(act: (subject: Subject) => Promise<void>): Promise<void> {
  return withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const { accountUrl, accountKey } = exporter.container;
    const proxy = await startBlobProxy(accountUrl);
    const destination = { accountUrl: proxy.through(accountUrl), auth: { accountKey } };
    const activation = (settings: Record<string, unknown> = {}): ResolvedActivation =>
      exporter.activation({ ...DELTA, destination, completion: { success: '_SUCCESS' }, ...settings });
    try {
      await act({ exporter, proxy, activation });
    } finally {
      await proxy.close();
    }
  });
}

const writesSuccess = ({ method, blob }: BlobRequest): boolean => method === 'PUT' && blob === '_SUCCESS';

test('without the right to delete the run goes on with a warning, and its completion file replaces the earlier one', () =>
  withProxy(async ({ exporter, proxy, activation }) => {
    await exporter.run(activation());
    await exporter.database.sql(`update t set name = 'new'`);
    proxy.setHook(({ method }) =>
      method === 'DELETE' ? azureError(403, 'AuthorizationPermissionMismatch') : undefined,
    );
    const { record } = await exporter.run(activation({ fileName: 'o/{run}', completion: undefined }));
    assert.deepEqual(record.warnings, []);
    await exporter.database.sql(`update t set name = 'newer'`);
    const next = (await exporter.run(activation())).record;
    assert.deepEqual(
      next.warnings.map(({ code }) => code).filter(code => code !== 'DELTA_OVERWRITTEN'),
      ['COMPLETION_STOOD'],
    );
    assert.match(next.warnings.at(-1)!.message, /^_SUCCESS of an earlier run stood/);
    const { metadata } = await exporter.container.client.getBlobClient('_SUCCESS').getProperties();
    assert.equal(metadata?.['run'], next.run);
  }));

test('a completion file that is refused leaves the run decided; without completion it is finished', () =>
  withProxy(async ({ exporter, proxy, activation }) => {
    proxy.setHook(request =>
      writesSuccess(request) ? azureError(409, 'BlobImmutableDueToPolicy') : undefined,
    );
    const { record } = await exporter.run(activation());
    assert.equal(record.state, 'failed');
    assert.match(
      record.error!.message,
      /run \S+ is decided and unfinished, its files are in place and _SUCCESS is not/,
    );
    assert.match(record.error!.hint, /completion/);
    assert.deepEqual((await describeState(activation())).pending, [record.run]);
    await assert.rejects(exporter.manifest('exported'));
    const { recovered } = await exporter.run(activation({ completion: undefined }));
    assert.deepEqual(
      recovered.map(({ run, completion }) => [run, completion]),
      [[record.run, undefined]],
    );
    assert.equal((await exporter.manifest('exported', record.run))['completion'], undefined);
  }));

test('a run that is given up says which completion files of it are visible', () =>
  withProxy(async ({ exporter, proxy, activation }) => {
    proxy.setHook(({ method, blob }) =>
      method === 'PUT' && blob?.startsWith('_sluice/')
        ? azureError(409, 'BlobImmutableDueToPolicy')
        : undefined,
    );
    const { record } = await exporter.run(activation());
    const { left } = await resetState({ activation: activation(), abandonDecided: true });
    assert.deepEqual(left, [{ run: record.run, visible: ['out.csv', '_SUCCESS'] }]);
  }));

test('a crash after the manifest does not bring a completion file back that a receiver has deleted', () =>
  withProxy(async ({ exporter, proxy, activation }) => {
    proxy.setHook(({ method, blob }) =>
      method === 'PUT' && blob?.endsWith('latest.json') ? azureError(403, 'AuthenticationFailed') : undefined,
    );
    const { record } = await exporter.run(activation());
    assert.equal(record.state, 'failed');
    await exporter.container.client.deleteBlob('_SUCCESS');
    proxy.setHook(undefined);
    const recovered = await recoverActivation({
      activation: activation(),
      signal: new AbortController().signal,
    });
    assert.deepEqual(
      recovered.map(({ run }) => run),
      [record.run],
    );
    assert.deepEqual(await exporter.files(), ['out.csv']);
  }));

test('validate names the completion files, and warns where they could not be deleted', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const completion = { success: '_SUCCESS', control: CONTROL };
    const activation = exporter.activation({ fileName: 'a/b', completion });
    const { signal } = new AbortController();
    const { names } = await validateActivation({ activation, offline: true, signal });
    assert.deepEqual(names, ['a/b.csv', 'a/b.csv.ctl', 'a/_SUCCESS']);
  }));
