import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import { withChecksum } from '../../../src/disk/checksum.ts';
import { SluiceError } from '../../../src/errors.ts';
import { collectPlans } from '../../../src/run/sliced/collect-plans.ts';
import { PlanBlobs } from '../../../src/run/sliced/places/plan-blobs.ts';
import { PlanFolder } from '../../../src/run/sliced/places/plan-folder.ts';
import type { PlanCollection } from '../../../src/run/sliced/places/plan-place.ts';
import { PlanFiles } from '../../../src/run/sliced/plan-files.ts';
import { readSlice } from '../../../src/run/sliced/read-slice.ts';
import type { SliceResult } from '../../../src/run/sliced/sliced-plan.ts';
import { AzureBlobStore } from '../../../src/sinks/azure/azure-blob-store.ts';
import { someOf } from '../../support/all-cases.ts';
import { type BlobHook, startBlobProxy } from '../../support/blob-proxy.ts';
import { EARLY, randomBy, Verbs } from './support.ts';

const SLICES = 4;
const ROWS = 400;
const PREFIX = 'state/plans/';

let verbs: Verbs;
before(async () => {
  verbs = await Verbs.open();
  await verbs.exporter.database.sql(`create table t (id int primary key, v text);
    insert into t select i, 'v' || i from generate_series(1, ${ROWS}) i; cluster t using t_pkey;`);
});
after(() => verbs.close());

/** As each host opens them for itself. */
function plans(proxied?: string): PlanBlobs {
  const { container, accountUrl, accountKey } = verbs.exporter.container;
  const store = new AzureBlobStore({ container, accountUrl: proxied ?? accountUrl, auth: { accountKey } });
  return new PlanBlobs({ store, prefix: PREFIX, encryptionScope: undefined });
}

function filesOf(name: string, proxied?: string): PlanFiles {
  return new PlanFiles(plans(proxied).placeOf(name));
}

function exported(name: string): ResolvedActivation {
  return verbs.activation({ name, model: { table: 'public.t' }, fileName: name, format: { type: 'json' } });
}

async function onAnotherHost(activation: ResolvedActivation): Promise<ResolvedActivation> {
  return { ...activation, dataDirectory: await mkdtemp(join(verbs.exporter.dataDirectory, 'host-')) };
}

async function publishedIds(name: string): Promise<number[]> {
  const rows: unknown = JSON.parse((await verbs.exporter.container.download(`${name}.json`)).toString());
  return (rows as { id: number }[]).map(({ id }) => id).sort((one, other) => one - other);
}

const ALL_IDS = Array.from({ length: ROWS }, (_, index) => index + 1);

async function assertPublished(name: string): Promise<void> {
  assert.deepEqual(await publishedIds(name), ALL_IDS);
  const { run } = await filesOf(name).readPlan();
  const manifest = await verbs.exporter.manifest(name);
  assert.deepEqual({ run: manifest['run'], generation: manifest['generation'] }, { run, generation: 1 });
}

for (let seed = 1; seed <= someOf(20); seed++) {
  test(`three hosts that share nothing but blobs publish one run, by verbs in any order: seed ${seed}`, async () => {
    const name = `hosts-${seed}`;
    const random = randomBy(seed);
    const first = exported(name);
    const hosts = [first, await onAnotherHost(first), await onAnotherHost(first)];
    const host = (): ResolvedActivation => hosts[Math.floor(random() * hosts.length)]!;
    const begin = (): Promise<unknown> => verbs.begin(host(), filesOf(name), SLICES);
    const slice = (number: number) => (): Promise<unknown> => verbs.slice(host(), filesOf(name), number);
    const finalise = async (): Promise<void> => {
      const { error } = await verbs.finalise(host(), filesOf(name));
      if (error !== undefined) throw error;
    };
    const once = [begin, ...Array.from({ length: SLICES }, (_, number) => slice(number)), finalise];
    const shuffled = [...once, ...once, ...once]
      .map(verb => ({ verb, place: random() }))
      .sort((one, other) => one.place - other.place);
    while (shuffled.length > 0) {
      const atOnce = shuffled.splice(0, 1 + Math.floor(random() * 3));
      for (const ended of await Promise.allSettled(atOnce.map(({ verb }) => verb()))) {
        if (ended.status === 'fulfilled') continue;
        const { reason } = ended;
        assert.ok(reason instanceof SluiceError && EARLY.includes(reason.code), String(reason));
      }
    }
    // A scheduler calls what has not succeeded again.
    for (const verb of [...once, finalise, finalise]) await verb();
    await assertPublished(name);
  });
}

test('an attempt of a slice that was thought dead and comes back changes nothing', async () => {
  const name = 'late';
  const activation = exported(name);
  const plan = await verbs.begin(activation, filesOf(name), SLICES);
  // It has claimed its attempt, and stands still before it writes down what it staged.
  let goOn = (): void => {};
  const mayGoOn = new Promise<void>(resolve => (goOn = resolve));
  let onStop = (): void => {};
  const isStopped = new Promise<void>(resolve => (onStop = resolve));
  class Stopped extends PlanFiles {
    override async writeResult(result: SliceResult): Promise<void> {
      onStop();
      await mayGoOn;
      await super.writeResult(result);
    }
  }
  const { signal } = new AbortController();
  const files = new Stopped(plans().placeOf(name));
  const late = readSlice({ activation: await onAnotherHost(activation), files, plan, slice: 0, signal });
  await Promise.race([isStopped, late]);
  for (const slice of plan.slices.keys()) await verbs.slice(activation, filesOf(name), slice);
  const { record } = await verbs.finalise(activation, filesOf(name));
  goOn();
  assert.equal((await late)?.attempt, 1);
  assert.equal((await filesOf(name).readResult(plan, 0))?.attempt, 1);
  await assertPublished(name);
  const again = await verbs.finalise(await onAnotherHost(activation), filesOf(name));
  assert.equal(again.error, undefined);
  assert.deepEqual(again.record.files, record.files);
});

test('writes whose answers are lost are done once', async t => {
  const { container } = verbs.exporter;
  const proxy = await startBlobProxy(container.accountUrl);
  t.after(() => proxy.close());
  const proxied = proxy.through(container.accountUrl);
  const name = 'unanswered';
  const activation = exported(name);
  const lost = new Set<string>();
  const loseEachOnce: BlobHook = ({ method, blob = '' }) => {
    if (method !== 'PUT' || lost.has(blob)) return undefined;
    lost.add(blob);
    return 'reset-after-apply';
  };
  proxy.setHook(loseEachOnce);
  const plan = await verbs.begin(activation, filesOf(name, proxied), SLICES);
  for (const slice of plan.slices.keys()) {
    const result = await verbs.slice(activation, filesOf(name, proxied), slice);
    assert.equal(result?.attempt, 1);
  }
  const { error, record } = await verbs.finalise(activation, filesOf(name, proxied));
  assert.equal(error, undefined);
  assert.equal(record.run, plan.run);
  assert.deepEqual(
    [...lost].sort(),
    (await container.list(PREFIX)).filter(blob => blob.startsWith(`${PREFIX}${name}.json`)),
  );
  await assertPublished(name);
});

test('a document in which a byte differs is damaged, and a slice is made again', async () => {
  const name = 'damaged';
  const activation = exported(name);
  const plan = await verbs.begin(activation, filesOf(name), SLICES);
  for (const slice of plan.slices.keys()) await verbs.slice(activation, filesOf(name), slice);
  const { client } = verbs.exporter.container;
  const blob = `${PREFIX}${name}.json.slices/00001.json`;
  const text = (await verbs.exporter.container.download(blob)).toString();
  const other = text.replace('"rows": 100', '"rows": 900');
  await client.getBlockBlobClient(blob).upload(other, other.length);
  await assert.rejects(verbs.finalise(activation, filesOf(name)), {
    code: 'STATE_DAMAGED',
    message: `${blob} is not what was written`,
  });
  assert.equal((await verbs.slice(activation, filesOf(name), 1))?.attempt, 2);
  assert.equal((await verbs.finalise(activation, filesOf(name))).error, undefined);
  await assertPublished(name);
});

async function assertCollects(kept: PlanCollection): Promise<void> {
  const begin = async (name: string): Promise<PlanFiles> => {
    const files = new PlanFiles(kept.placeOf(name));
    await verbs.begin(exported(name), files, SLICES);
    await verbs.slice(exported(name), files, 0);
    return files;
  };
  const old = await begin('old');
  const young = await begin('young');
  await kept.placeOf('unknown').create('', 'of a later version');
  const { startedAt } = await old.readPlan();
  const inDays = (days: number): Date => new Date(Date.parse(startedAt) + days * 86_400_000);
  await collectPlans(kept, inDays(13));
  assert.deepEqual([...(await kept.list()).keys()].sort(), ['old', 'unknown', 'young']);
  // As one that was begun later.
  const { crc: _crc, ...plan } = JSON.parse((await kept.placeOf('young').read(''))!);
  const later = withChecksum({ ...plan, startedAt: inDays(10).toISOString() });
  await kept.placeOf('young').replace('', JSON.stringify(later));
  await collectPlans(kept, inDays(15));
  assert.deepEqual([...(await kept.list()).keys()].sort(), ['unknown', 'young']);
  assert.equal(await old.findPlan(), undefined);
  assert.ok(await young.readResult(await young.readPlan(), 0));
  // What a slice leaves behind that comes back when its plan is gone.
  await kept.placeOf('old').create('00000.failed.json', 'late');
  await collectPlans(kept, inDays(15));
  assert.deepEqual([...(await kept.list()).keys()].sort(), ['unknown', 'young']);
}

test('plans of more than two weeks are removed, with all that is beside them', async t => {
  const { container, connectionString } = verbs.exporter.container;
  const store = new AzureBlobStore({ container, auth: { connectionString } });
  const prefix = 'other/plans/';
  await assertCollects(new PlanBlobs({ store, prefix, encryptionScope: undefined }));
  const left = await verbs.exporter.container.list(prefix);
  assert.ok(left.length >= 3 && left.every(name => /\/(?:young|unknown)\./.test(name)), left.join());

  const path = await mkdtemp(join(tmpdir(), 'sluice-shared-'));
  t.after(() => rm(path, { recursive: true }));
  await assertCollects(new PlanFolder(join(path, 'plans')));
  assert.deepEqual((await readdir(join(path, 'plans'))).sort(), [
    'unknown.json',
    'young.json',
    'young.json.slices',
  ]);
});
