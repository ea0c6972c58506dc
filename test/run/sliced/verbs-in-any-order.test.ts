import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import { SluiceError } from '../../../src/errors.ts';
import type { ProtocolParts } from '../../../src/publish/protocol.ts';
import { PlanFiles } from '../../../src/run/sliced/plan-files.ts';
import { interceptSteps, type Moment } from '../../faults/protocol-steps.ts';
import { everyNth, someOf } from '../../support/all-cases.ts';
import { EARLY, randomBy, Verbs } from './support.ts';

const SLICES = 4;
const ROWS = 400;
const MODEL = { table: 'public.t' };
const ALL_IDS = Array.from({ length: ROWS }, (_, index) => index + 1);

let verbs: Verbs;
before(async () => {
  verbs = await Verbs.open();
  await verbs.exporter.database.sql(`
    create table t (id int primary key, v text, r float8);
    insert into t select i, 'v' || i, i from generate_series(1, ${ROWS}) i; cluster t using t_pkey;
    create table moving (id int primary key, v text);
    insert into moving select i, i from generate_series(1, ${ROWS}) i;
    create table altered (id int primary key); insert into altered select generate_series(1, 9);`);
});
after(() => verbs.close());

/** An activation of its own, with a file of its own. */
function exported(name: string, settings: Record<string, unknown> = {}): ResolvedActivation {
  return verbs.activation({ name, model: MODEL, fileName: name, format: { type: 'json' }, ...settings });
}

async function onAnotherHost(activation: ResolvedActivation): Promise<ResolvedActivation> {
  return { ...activation, dataDirectory: await mkdtemp(join(verbs.exporter.dataDirectory, 'host-')) };
}

async function sliceAll(activation: ResolvedActivation, files: PlanFiles): Promise<void> {
  const plan = await verbs.begin(activation, files, SLICES);
  assert.equal(plan.slices.length, SLICES);
  for (const slice of plan.slices.keys()) await verbs.slice(activation, files, slice);
}

/** Ids in a file, or in its parts, whose numbers have no gap. */
async function publishedIds(name: string): Promise<number[]> {
  const files = (await verbs.exporter.files()).filter(file => /^[^._]+/.exec(file)![0] === name).sort();
  const ending = files[0]!.slice(name.length);
  const part = (index: number): string => (index === 0 ? '' : `_part${String(index + 1).padStart(5, '0')}`);
  assert.deepEqual(
    files,
    files.map((_, index) => `${name}${part(index)}${ending}`),
  );
  const contents = await Promise.all(files.map(file => verbs.exporter.container.download(file)));
  const rows = await Promise.all(
    contents.map(bytes =>
      ending === '.json'
        ? JSON.parse(bytes.toString())
        : parquetReadObjects({ file: Uint8Array.from(bytes).buffer }),
    ),
  );
  const ids = (rows.flat() as { id: number }[]).map(({ id }) => id);
  return ids.sort((one, other) => one - other);
}

/** All rows once, by one run, which is the first generation. */
async function assertPublished(name: string, files: PlanFiles): Promise<void> {
  assert.deepEqual(await publishedIds(name), ALL_IDS);
  const { run } = await files.readPlan();
  const manifests = (await verbs.exporter.container.list()).filter(blob =>
    blob.startsWith(`_sluice/${name}/`),
  );
  assert.deepEqual(manifests.sort(), [`_sluice/${name}/${run}.json`, `_sluice/${name}/latest.json`]);
  const { run: latest, generation } = await verbs.exporter.manifest(name);
  assert.deepEqual({ latest, generation }, { latest: run, generation: 1 });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof SluiceError ? error.code : undefined;
}

const SHUFFLED: readonly Record<string, unknown>[] = [
  { maxFileRows: 30 },
  { format: { type: 'parquet', rowGroupRows: 40 } },
  {},
];
for (let seed = 1; seed <= someOf(20); seed++) {
  const settings = SHUFFLED[(seed - 1) % SHUFFLED.length]!;
  const how = JSON.stringify(settings);
  test(`verbs in a shuffled order, repeated and at once, publish one run: seed ${seed}, ${how}`, async () => {
    const name = `shuffled-${seed}`;
    const activation = exported(name, settings);
    const files = verbs.files();
    const random = randomBy(seed);
    const hosts = [activation, await onAnotherHost(activation)];
    const begin = (): Promise<unknown> => verbs.begin(activation, files, SLICES);
    const slice = (number: number) => (): Promise<unknown> => verbs.slice(activation, files, number);
    const finalise = async (): Promise<void> => {
      const { error } = await verbs.finalise(hosts[Math.floor(random() * 2)]!, files);
      if (error !== undefined) throw error;
    };
    const once = [begin, ...Array.from({ length: SLICES }, (_, number) => slice(number)), finalise];
    const shuffled = [...once, ...once, ...once]
      .map(verb => ({ verb, place: random() }))
      .sort((one, other) => one.place - other.place);
    while (shuffled.length > 0) {
      const atOnce = shuffled.splice(0, 1 + Math.floor(random() * 3));
      for (const ended of await Promise.allSettled(atOnce.map(({ verb }) => verb())))
        if (ended.status === 'rejected')
          assert.ok(EARLY.includes(codeOf(ended.reason)), String(ended.reason));
    }
    // A scheduler calls what has not succeeded again.
    for (const verb of [...once, finalise, finalise]) await verb();
    await assertPublished(name, files);
  });
}

/** Steps of a finaliser that others can see; a process may end at each of them. */
const STEPS = [
  'store.stageBlock #1',
  'journal.write commit.json #1',
  'store.commitBlocks #1',
  'store.putBlob #1',
  'store.putBlob #2',
];

const STOPS = STEPS.flatMap(step => (['before', 'after'] as const).map((side: Moment) => ({ step, side })));
for (const { step, side } of everyNth(3, STOPS)) {
  test(`another machine finalises for one that stops ${side} ${step}, and that comes back and changes nothing`, async () => {
    const name = `stopped-${side}-${step.replace(/\W+/g, '-')}`;
    const activation = exported(name);
    const files = verbs.files();
    await sliceAll(activation, files);
    let goOn = (): void => {};
    const mayGoOn = new Promise<void>(resolve => (goOn = resolve));
    let onStop = (): void => {};
    const isStopped = new Promise<void>(resolve => (onStop = resolve));
    const intercept = (parts: ProtocolParts): ProtocolParts =>
      interceptSteps(parts, (taken, moment) => {
        if (taken !== step || moment !== side) return undefined;
        onStop();
        return mayGoOn;
      });
    const stopped = verbs.finalise(activation, files, { intercept });
    await Promise.race([isStopped, stopped]);
    const other = await verbs.finalise(await onAnotherHost(activation), files);
    assert.equal(other.error, undefined);
    await assertPublished(name, files);
    goOn();
    const late = await stopped;
    assert.equal(late.error, undefined);
    assert.deepEqual(late.record.files, other.record.files);
    await assertPublished(name, files);
    assert.deepEqual((await verbs.finalise(activation, files)).record.files, other.record.files);
  });
}

test('a run that was published is done, for a machine that comes after a later run as well', async () => {
  const activation = exported('later');
  const files = verbs.files();
  await sliceAll(activation, files);
  const { record } = await verbs.finalise(activation, files);
  await verbs.exporter.run(activation);
  const late = await verbs.finalise(await onAnotherHost(activation), files);
  assert.equal(late.error, undefined);
  assert.deepEqual(late.record.files, record.files);
  assert.equal((await verbs.exporter.manifest('later'))['generation'], 2);
});

test('a slice that was cut off, or whose result is damaged, is made again', async () => {
  const activation = exported('cut');
  const place = verbs.place();
  const files = new PlanFiles(place);
  const plan = await verbs.begin(activation, files, SLICES);
  // As one that was killed leaves it.
  await files.claimAttempt(plan, 0);
  const again = await verbs.slice(activation, files, 0);
  assert.equal(again?.attempt, 2);
  assert.deepEqual(await verbs.slice(activation, files, 0), again);
  assert.equal(await verbs.slice(activation, files, SLICES), undefined);
  for (const slice of [1, 2, 3]) await verbs.slice(activation, files, slice);
  const result = place.nameOf('00001.json');
  await writeFile(result, (await readFile(result, 'utf8')).replace('"rows": 100', '"rows": 900'));
  await assert.rejects(verbs.finalise(activation, files), { code: 'STATE_DAMAGED' });
  await verbs.slice(activation, files, 1);
  assert.equal((await verbs.finalise(activation, files)).error, undefined);
  await assertPublished('cut', files);
});

test('a slice that fails for good keeps the run from being published, and says why', async () => {
  const activation = exported('failing', { format: { type: 'json', onUnrepresentable: 'fail' } });
  const files = verbs.files();
  await verbs.exporter.database.sql(`update t set r = 'NaN' where id = 250`);
  const plan = await verbs.begin(activation, files, SLICES);
  for (const slice of [0, 1, 3]) await verbs.slice(activation, files, slice);
  await assert.rejects(verbs.finalise(activation, files), {
    code: 'SOURCE_INCOMPLETE',
    retryable: true,
    message: `run ${plan.run} cannot be published: slice 2 has no result`,
  });
  const failed = /^slice 2: .*column "r" holds NaN/;
  await assert.rejects(verbs.slice(activation, files, 2), { code: 'VALUE_NOT_EXPRESSIBLE', message: failed });
  await assert.rejects(verbs.finalise(activation, files), {
    code: 'VALUE_NOT_EXPRESSIBLE',
    retryable: false,
    message: /slice 2 has no result; slice 2: .*column "r" holds NaN/,
  });
  assert.ok(!(await verbs.exporter.files()).includes('failing.json'));
  await verbs.exporter.database.sql('update t set r = 250 where id = 250');
  await verbs.slice(activation, files, 2);
  assert.equal((await verbs.finalise(activation, files)).error, undefined);
  await assertPublished('failing', files);
});

test('rows that move on their pages between two slices are in one of them, once', async () => {
  const activation = exported('moving', { model: { table: 'public.moving' } });
  const files = verbs.files();
  const plan = await verbs.begin(activation, files, SLICES);
  for (const slice of plan.slices.keys()) {
    await verbs.slice(activation, files, slice);
    await verbs.exporter.database.sql(`update moving set v = repeat('x', 100) || ${slice}`);
  }
  assert.equal((await verbs.finalise(activation, files)).error, undefined);
  await assertPublished('moving', files);
});

test('a plan that something has overtaken is refused with a way on', async () => {
  const activation = exported('overtaken');
  const files = verbs.files();
  await sliceAll(activation, files);
  await verbs.exporter.run(activation);
  const { error, record } = await verbs.finalise(activation, files);
  assert.equal(codeOf(error), 'STATE_STALE');
  assert.match(record.error!.message, /^another run of the activation was published since/);
  assert.match(record.error!.hint, /^begin again: /);

  const replaced = exported('replaced', { manifest: false });
  const others = verbs.files();
  await sliceAll(replaced, others);
  await verbs.exporter.run(replaced);
  assert.equal(codeOf((await verbs.finalise(replaced, others)).error), 'DESTINATION_CONFLICT');

  const changed = exported('overtaken', { format: { type: 'csv' } });
  await assert.rejects(verbs.slice(changed, files, 0), { code: 'STATE_STALE' });
  await assert.rejects(verbs.finalise(changed, files), { code: 'STATE_STALE' });
  await assert.rejects(verbs.begin(changed, files), { code: 'USAGE' });

  const altered = exported('altered', { model: { table: 'public.altered' } });
  const before = verbs.files();
  await verbs.begin(altered, before, 3);
  await verbs.exporter.database.sql('alter table altered add more text');
  await assert.rejects(verbs.slice(altered, before, 0), { code: 'SCHEMA_CHANGED', message: /^slice 0: / });
});

test('what the verbs cannot do is refused as they begin', async () => {
  const refused = (settings: Record<string, unknown>): Promise<unknown> =>
    verbs.begin(verbs.activation({ model: MODEL, ...settings }), verbs.files());
  const delta = { consistency: 'snapshot', runType: 'full_then_delta', syncMode: 'upsert' };
  await assert.rejects(refused(delta), { code: 'USAGE', message: /compare all rows in one place$/ });
  const partitioned = { partitionBy: ['v'], fileName: '{column.v}/p' };
  await assert.rejects(refused(partitioned), { code: 'USAGE', message: /partitionBy/ });
  const none = exported('none');
  await assert.rejects(verbs.slice(none, verbs.files(), 0), { code: 'USAGE', message: /^there is no plan / });
  await verbs.exporter.container.client.getBlockBlobClient('there.json').upload('x', 1);
  const there = exported('there', { ifExists: 'fail' });
  await assert.rejects(verbs.begin(there, verbs.files()), { code: 'DESTINATION_EXISTS' });
});

test('slices join in a folder as well', async () => {
  const path = await mkdtemp(join(tmpdir(), 'sluice-folder-'));
  try {
    const activation = exported('folder', { destination: { type: 'folder', path } });
    const { error, record } = await verbs.all(activation);
    assert.equal(error, undefined);
    assert.equal(record.slices?.count, SLICES);
    const rows: unknown = JSON.parse(await readFile(join(path, 'folder.json'), 'utf8'));
    assert.equal((rows as unknown[]).length, ROWS);
  } finally {
    await rm(path, { recursive: true });
  }
});
