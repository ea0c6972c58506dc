import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { Level } from 'level';
import { openDestination } from '../../src/assemble.ts';
import { Baseline } from '../../src/baseline/baseline.ts';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { newRunId } from '../../src/history/run-id.ts';
import type { ExportResult } from '../../src/run/export-run.ts';
import { type BackupReport, backupState } from '../../src/state/back-up-state.ts';
import { uploadBackup } from '../../src/state/backup-files.ts';
import { describeState } from '../../src/state/describe-state.ts';
import { resetState } from '../../src/state/reset-state.ts';
import { type RestoreReport, restoreState } from '../../src/state/restore-state.ts';
import { StateFolder } from '../../src/state/state-folder.ts';
import { everyNth } from '../support/all-cases.ts';
import { startBlobProxy } from '../support/blob-proxy.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const DELTA = { runType: 'full_then_delta', syncMode: 'difference', fileName: '{run}' };
const TABLE = `create table t (id int primary key, name text);
  insert into t select i, 'name ' || i from generate_series(1, 3000) i`;
const CHANGE = `update t set name = upper(name) where id % 500 = 0; delete from t where id % 700 = 0;
  insert into t select i, 'new ' || i from generate_series(3001, 3005) i`;
const STATE = '_sluice/exported/state/';
const { signal } = new AbortController();

function backup(activation: ResolvedActivation, force = false): Promise<BackupReport> {
  return backupState({ activation, force, signal });
}
function restore(
  activation: ResolvedActivation,
  options: { backup?: string; force?: boolean } = {},
): Promise<RestoreReport> {
  return restoreState({ activation, force: false, signal, ...options });
}
async function run(exporter: Exporter, activation: ResolvedActivation): Promise<ExportResult['record']> {
  const { record, error } = await exporter.run(activation);
  assert.equal(record.state, 'succeeded', String(error));
  return record;
}
async function firstRun(
  exporter: Exporter,
  settings: Record<string, unknown> = {},
): Promise<ResolvedActivation> {
  await exporter.database.sql(TABLE);
  const activation = exporter.activation({ ...DELTA, ...settings });
  await run(exporter, activation);
  return activation;
}
function folderOf(exporter: Exporter): string {
  return join(exporter.dataDirectory, 'activations', 'exported');
}
async function forgetEverything(exporter: Exporter): Promise<void> {
  await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
}
function replaceBlob(exporter: Exporter, name: string, change: (bytes: Buffer) => Buffer): Promise<unknown> {
  return exporter.container
    .download(name)
    .then(bytes => exporter.container.client.getBlockBlobClient(name).uploadData(change(bytes)));
}
function changed(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}

for (const removedRows of ['values', 'keys']) {
  test(`a backup that is restored into an empty data directory makes the next run the right delta (removedRows: ${removedRows})`, () =>
    withExporter(async exporter => {
      const activation = await firstRun(exporter, { removedRows });
      await exporter.database.sql(`update t set name = 'second' where id = 9`);
      await run(exporter, activation);
      const report = await backup(activation);
      assert.deepEqual([report.generation, report.keys], [2, 3000]);
      await forgetEverything(exporter);
      const restored = await restore(activation);
      assert.deepEqual([restored.generation, restored.keys, restored.published], [2, 3000, undefined]);

      const before = new Map(
        Array.from({ length: 3000 }, (_, i) => [i + 1, i + 1 === 9 ? 'second' : `name ${i + 1}`]),
      );
      await exporter.database.sql(CHANGE);
      const after = new Map(
        (await exporter.database.sql('select id, name from t')).map(row => [
          row['id'] as number,
          row['name'] as string,
        ]),
      );
      const record = await run(exporter, activation);
      assert.deepEqual([record.full, record.generation], [false, 3]);
      const lines = (entries: Iterable<[number, string]>): string[] => [
        'id,name',
        ...Array.from(entries, ([id, name]) => `${id},${name}`).sort(),
      ];
      const expected = {
        added: lines([...after].filter(([id]) => !before.has(id))),
        updated: lines([...after].filter(([id, name]) => before.has(id) && before.get(id) !== name)),
        removed: lines(
          [...before]
            .filter(([id]) => !after.has(id))
            .map(([id, name]) => [id, removedRows === 'values' ? name : '']),
        ),
      };
      for (const [change, rows] of Object.entries(expected)) {
        assert.ok(rows.length > 1);
        assert.deepEqual(await exporter.lines(`${record.run}_${change}.csv`), rows);
      }
    }));
}

test('a second backup sends only what is new', () =>
  withExporter(async exporter => {
    const proxy = await startBlobProxy(exporter.container.accountUrl);
    try {
      const { accountKey, container } = exporter.container;
      const activation = await firstRun(exporter, {
        destination: {
          auth: { accountKey },
          accountUrl: proxy.through(exporter.container.accountUrl),
          container,
        },
      });
      const first = await backup(activation);
      assert.equal(first.filesUploaded, first.files);
      const puts = async (act: () => Promise<unknown>): Promise<string[]> => {
        const from = proxy.requests.length;
        await act();
        return proxy.requests
          .slice(from)
          .filter(({ method }) => method === 'PUT')
          .map(({ blob }) => blob!);
      };
      await exporter.database.sql(CHANGE);
      await run(exporter, activation);
      let second: BackupReport | undefined;
      const sent = await puts(async () => {
        second = await backup(activation);
      });
      assert.ok(second!.filesUploaded < second!.files, `${second!.filesUploaded} of ${second!.files}`);
      assert.equal(sent.filter(name => name.startsWith(`${STATE}files/`)).length, second!.filesUploaded);
      assert.equal(sent.length, second!.filesUploaded + 2, 'besides, the descriptor and latest.json');
      assert.ok(
        second!.bytesUploaded < second!.bytes / 2,
        `${second!.bytesUploaded} of ${second!.bytes} bytes`,
      );
      await forgetEverything(exporter);
      assert.equal((await restore(activation)).generation, 2);
    } finally {
      await proxy.close();
    }
  }));

test('files of many megabytes go up in blocks and come back', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    const directory = join(exporter.dataDirectory, 'large');
    await cp(join(folderOf(exporter), 'baseline'), directory, { recursive: true });
    const { state } = await withBaseline(directory, async baseline => ({ state: baseline.state! }));
    // LevelDB takes a log with nothing after its last record as it is.
    await writeFile(join(directory, '999999.log'), Buffer.alloc(9_000_000));
    const store = await openDestination(activation.destination, { signal });
    const id = newRunId(new Date());
    await uploadBackup({
      store,
      prefix: STATE,
      directory,
      backup: id,
      activation: 'exported',
      state,
      now: new Date(),
      replaceLater: false,
    });
    const names = (await exporter.container.describe()).filter(({ name }) =>
      name.startsWith(`${STATE}files/`),
    );
    assert.ok(names.some(({ properties }) => properties.contentLength === 9_000_000));
    await forgetEverything(exporter);
    assert.equal((await restore(activation)).keys, 3000);
  }));

async function withBaseline<T>(directory: string, act: (baseline: Baseline) => Promise<T>): Promise<T> {
  const baseline = await Baseline.open(directory);
  try {
    return await act(baseline);
  } finally {
    await baseline.close();
  }
}

test('a damaged backup is refused, and the baseline that is there stays', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    const { backup: id } = await backup(activation);
    const descriptor = JSON.parse(
      (await exporter.container.download(`${STATE}backups/${id}.json`)).toString(),
    );
    const pages = descriptor.files.find(({ name }: { name: string }) => name.endsWith('.ldb'));
    const blob = `${STATE}files/${pages.sha256}`;
    const whole = await exporter.container.download(blob);
    const put = (name: string, bytes: Buffer): Promise<unknown> =>
      exporter.container.client.getBlockBlobClient(name).uploadData(bytes);
    const refused = async (message: RegExp): Promise<void> => {
      await assert.rejects(restore(activation), { code: 'STATE_DAMAGED', message });
      assert.equal((await describeState(activation)).baseline?.keys, 3000);
    };
    await put(blob, changed(whole));
    await refused(/contents of .* are not those of its name/);
    await put(blob, whole.subarray(1));
    await refused(/bytes, not/);
    await exporter.container.client.deleteBlob(blob);
    await refused(/is not there/);
    await put(blob, whole);
    await replaceBlob(exporter, `${STATE}backups/${id}.json`, bytes => Buffer.from(`${bytes} `));
    await refused(/is not the one that .*latest.json points to/);
    const evil = { ...descriptor, files: [{ ...pages, name: '../../evil.ldb' }] };
    await put(`${STATE}backups/${id}.json`, Buffer.from(JSON.stringify(evil)));
    await refused(/is not what a backup wrote/);
    await exporter.container.client.deleteBlob(`${STATE}backups/${id}.json`);
    await refused(/is not there/);
    assert.deepEqual((await readdir(folderOf(exporter))).sort(), ['baseline', 'history', 'lock', 'runs']);
  }));

test('a baseline whose rows have another digest or count than its state says is neither backed up nor restored', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    const { backup: id } = await backup(activation);
    // The descriptor lies about the digest: only --backup takes a descriptor that
    // latest.json does not vouch for.
    await replaceBlob(exporter, `${STATE}backups/${id}.json`, bytes =>
      Buffer.from(bytes.toString().replace(/"low": (-?\d+)/, (_, low) => `"low": ${Number(low) ^ 1}`)),
    );
    await assert.rejects(restore(activation, { backup: id }), {
      code: 'STATE_DAMAGED',
      message: /have the digest/,
    });
    // One bit of a row's hash is wrong in the pages, under correct checksums of LevelDB.
    const directory = join(folderOf(exporter), 'baseline');
    const level = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const [[key, page]] = (await level.iterator({ gte: Buffer.from('p'), limit: 1 }).all()) as [
      [Buffer, Buffer],
    ];
    await level.put(key, changed(page));
    await level.close();
    await assert.rejects(backup(activation), { code: 'STATE_DAMAGED', message: /have the digest/ });
    const store = await openDestination(activation.destination, { signal });
    const { state } = await withBaseline(directory, async baseline => ({ state: baseline.state! }));
    const damaged = newRunId(new Date());
    await uploadBackup({
      store,
      prefix: STATE,
      directory,
      backup: damaged,
      activation: 'exported',
      state,
      now: new Date(),
      replaceLater: false,
    });
    await assert.rejects(restore(activation), { code: 'STATE_DAMAGED', message: /have the digest/ });
    assert.ok(!(await readdir(folderOf(exporter))).includes('baseline.download'));
  }));

test('a backup that is older than what was published is restored by force only, and the next run then stops', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    const old = await backup(activation);
    await exporter.database.sql(CHANGE);
    await run(exporter, activation);
    await assert.rejects(restore(activation), {
      code: 'STATE_STALE',
      message: /the destination has generation 2/,
    });
    await forgetEverything(exporter);
    await assert.rejects(restore(activation), { code: 'STATE_STALE' });
    const forced = await restore(activation, { force: true });
    assert.deepEqual([forced.generation, forced.published?.generation], [1, 2]);
    const { record } = await exporter.run(activation);
    assert.equal(record.error?.code, 'STATE_STALE');
    // Nor does the old state become the latest backup by itself.
    const full = await exporter.run(activation, { full: true });
    assert.equal(full.record.generation, 3);
    await backup(activation);
    await restore(activation, { backup: old.backup, force: true });
    await assert.rejects(backup(activation), {
      code: 'STATE_STALE',
      message: /latest backup .* generation 3/,
    });
    assert.equal((await backup(activation, true)).generation, 1);
  }));

test('without manifests the local state alone refuses an older backup', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter, { manifest: false });
    await backup(activation);
    await run(exporter, activation);
    await assert.rejects(restore(activation), { code: 'STATE_STALE', message: /local state is at 2/ });
  }));

test('while a decided run is not finished the baseline is neither reset, backed up nor restored', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    await backup(activation);
    const pending = newRunId(new Date());
    const folder = join(folderOf(exporter), 'runs', pending);
    await mkdir(folder);
    await writeFile(join(folder, 'commit.json'), '{}');
    const refused = {
      code: 'STATE_STALE',
      message: new RegExp(`run ${pending} is decided and not finished`),
    };
    await assert.rejects(resetState({ activation, abandonDecided: false }), refused);
    await assert.rejects(backup(activation), refused);
    await assert.rejects(restore(activation, { force: true }), refused);
    assert.deepEqual((await describeState(activation)).pending, [pending]);
    const { baseline: before } = await describeState(activation);
    const report = await resetState({ activation, abandonDecided: true });
    assert.deepEqual(report.abandoned, [pending]);
    assert.match(report.left?.[0]?.notLookedUp ?? '', /commit.json/);
    const { baseline, pending: left } = await describeState(activation);
    assert.deepEqual([baseline, left], [before, []]);
  }));

test('after a reset the next run is a full one of the next generation', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    assert.deepEqual(await resetState({ activation, abandonDecided: false }), {
      activation: 'exported',
      abandoned: [],
      generation: 1,
      run: (await exporter.manifest('exported'))['run'],
      keys: 3000,
    });
    const record = await run(exporter, activation);
    assert.deepEqual([record.full, record.generation, record.counts.written], [true, 2, 3000]);
  }));

test('a baseline that cannot be opened any more can be reset, and can be restored over', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    await backup(activation);
    const damage = (): Promise<void> =>
      writeFile(join(folderOf(exporter), 'baseline', 'CURRENT'), 'nonsense');
    await damage();
    await assert.rejects(describeState(activation), { code: 'STATE_DAMAGED' });
    assert.equal((await restore(activation)).keys, 3000);
    assert.deepEqual((await run(exporter, activation)).full, false);
    await damage();
    await resetState({ activation, abandonDecided: false });
    assert.deepEqual((await run(exporter, activation)).full, true);
  }));

const CRASHES: [string, (folder: string) => Promise<void>][] = [
  ['while it downloads', async () => {}],
  [
    'once the new baseline is complete',
    folder => rename(join(folder, 'baseline.download'), join(folder, 'baseline.restored')),
  ],
  [
    'between the two renames',
    async folder => {
      await rename(join(folder, 'baseline.download'), join(folder, 'baseline.restored'));
      await rename(join(folder, 'baseline'), join(folder, 'baseline.replaced'));
    },
  ],
  [
    'before the old one is deleted',
    async folder => {
      await rename(join(folder, 'baseline'), join(folder, 'baseline.replaced'));
      await rename(join(folder, 'baseline.download'), join(folder, 'baseline'));
    },
  ],
];
for (const [index, [when, crash]] of everyNth(2, [...CRASHES.entries()])) {
  test(`a crash of a restore ${when} leaves one of the two baselines, whole`, () =>
    withExporter(async exporter => {
      const activation = await firstRun(exporter);
      const folder = folderOf(exporter);
      const older = join(exporter.dataDirectory, 'older');
      await cp(join(folder, 'baseline'), older, { recursive: true });
      await exporter.database.sql(CHANGE);
      await run(exporter, activation);
      await rename(older, join(folder, 'baseline.download'));
      await crash(folder);
      const { baseline } = await describeState(activation);
      assert.equal(baseline?.generation, index === 0 ? 2 : 1);
      const left = (await readdir(folder)).filter(name => name.startsWith('baseline'));
      assert.deepEqual(left, ['baseline']);
    }));
}

test('nothing slips in while the baseline is closed: a run is refused as locked, and so is a command during a run', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    const folder = await StateFolder.open(exporter.dataDirectory, 'exported', 'a test');
    const { record } = await exporter.run(activation);
    assert.equal(record.error?.code, 'STATE_LOCKED');
    await assert.rejects(backup(activation), { code: 'STATE_LOCKED' });
    await assert.rejects(restore(activation), { code: 'NAME_UNKNOWN' });
    await folder.close();
    await run(exporter, activation);
    await backup(activation);
    const again = await StateFolder.open(exporter.dataDirectory, 'exported', 'a test');
    await assert.rejects(restore(activation), { code: 'STATE_LOCKED' });
    await again.close();
  }));

test('snapshots of backups whose process is gone are removed', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter);
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await mkdir(join(folderOf(exporter), `snapshot-${child.pid}-x`));
    await backup(activation);
    assert.deepEqual((await readdir(folderOf(exporter))).sort(), ['baseline', 'history', 'lock', 'runs']);
  }));

test('the description of a state tells its columns, key, size and where its source stood, and makes nothing', () =>
  withExporter(async exporter => {
    const settings = { ...DELTA, mapping: ['id', { from: 'name', to: 'full name' }] };
    const before = await describeState(exporter.activation(settings));
    assert.deepEqual([before.baseline, before.bytes], [undefined, 0]);
    assert.deepEqual(await readdir(exporter.dataDirectory), []);
    const activation = await firstRun(exporter, settings);
    const { baseline, bytes } = await describeState(activation);
    assert.deepEqual([baseline?.generation, baseline?.keys, baseline?.retained], [1, 3000, 'row']);
    assert.deepEqual(baseline?.columns, [
      { name: 'id', source: 'id', type: 'integer' },
      { name: 'full name', source: 'name', type: 'text' },
    ]);
    assert.deepEqual(baseline?.primaryKey, ['id']);
    assert.match(baseline!.digest, /^[0-9a-f]{16}$/);
    assert.ok(bytes > 10_000);
    assert.match(baseline?.position?.system ?? '', /^\d+$/);
  }));

test('no secret of the destination lies in a backup or in an error', () =>
  withExporter(async exporter => {
    const sas = exporter.container.sas('rw');
    const { accountUrl, container } = exporter.container;
    const settings = { destination: { auth: { sasToken: sas }, accountUrl, container } };
    const activation = await firstRun(exporter, settings);
    await backup(activation);
    const signature = new URLSearchParams(sas).get('sig')!;
    for (const name of (await exporter.container.list()).filter(blob => blob.startsWith(STATE)))
      assert.ok(!(await exporter.container.download(name)).includes(signature), name);
    const expired = exporter.container.sas('rw', new Date(Date.now() - 1000));
    const late = exporter.activation({
      ...DELTA,
      destination: { auth: { sasToken: expired }, accountUrl, container },
    });
    const error = (await restore(late).catch(reason => reason)) as Error;
    const text = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
    assert.ok(
      !text.includes(new URLSearchParams(expired).get('sig')!) &&
        !text.includes(encodeURIComponent(new URLSearchParams(expired).get('sig')!)),
    );
    assert.ok((await readFile(join(folderOf(exporter), 'baseline', 'CURRENT'))).length > 0);
  }));
