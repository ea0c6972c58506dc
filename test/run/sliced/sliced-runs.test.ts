import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { RunFile } from '../../../src/history/run-record.ts';
import { verifyRun } from '../../../src/verify/verify-run.ts';
import { everyNth } from '../../support/all-cases.ts';
import { uncompressed } from '../../support/uncompressed.ts';
import { Verbs } from './support.ts';

const ROWS = 2000;
const TABLE = `
  create table t (id int primary key, name text, amount numeric(12,2), at timestamptz, flag boolean, doc jsonb, ratio float8);
  insert into t select i, case when i % 7 = 0 then null else 'näme, "' || i || repeat('y', i % 50) end, i * 1.25,
      timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second', i % 3 = 0, jsonb_build_object('i', i, 't', 'a<b'),
      case when i % 1000 = 999 then 'NaN'::float8 else i end
    from generate_series(1, ${ROWS}) i;
  cluster t using t_pkey; -- rows lie in the order of their keys, which is that of slices
  create table pairs (a text collate "C", b uuid, v text, primary key (a, b));
  insert into pairs select chr(97 + i % 26), gen_random_uuid(), 'v' || i from generate_series(1, 900) i;
  create table words (w text primary key, v int); insert into words values ('a', 1), ('b', 2);
  create table keyless (id int, v text); insert into keyless values (1, 'a');
  create table empty (id int primary key, v text);
  create table parts (id int primary key) partition by range (id);`;
const MODEL = { table: 'public.t' };

let verbs: Verbs;
before(async () => {
  verbs = await Verbs.open();
  await verbs.exporter.database.sql(TABLE);
});
after(() => verbs.close());

async function bytesOf(files: readonly RunFile[]): Promise<Buffer> {
  return Buffer.concat(await Promise.all(files.map(({ name }) => verbs.exporter.container.download(name))));
}

const FORMATS: readonly Record<string, unknown>[] = [
  { type: 'csv' },
  { type: 'csv', lineBreaks: 'space', binary: 'hex' },
  { type: 'json' },
  { type: 'json', layout: 'lines' },
  { type: 'xml' },
  { type: 'csv', compression: 'gzip' },
  { type: 'csv', compression: 'zstd', header: false },
  { type: 'json', compression: 'zstd' },
  { type: 'xml', compression: 'gzip' },
];

async function assertVerified(activation: ResolvedActivation, run: string): Promise<void> {
  const { signal } = new AbortController();
  const { ok, files } = await verifyRun({ run, activations: [activation], signal });
  assert.ok(ok, JSON.stringify(files));
}

const CASES = FORMATS.flatMap(format => [2, 3, 7, 1].map(slices => ({ format, slices })));
for (const { format, slices } of everyNth(5, CASES)) {
  test(`${slices} slices join to the bytes of one run: ${JSON.stringify(format)}`, async () => {
    const activation = verbs.activation({ model: MODEL, format });
    const one = await verbs.exporter.run(activation);
    const whole = await bytesOf(one.record.files);
    const { record, error, plan } = await verbs.all(activation, slices);
    assert.equal(error, undefined);
    assert.equal(plan.slices.length, slices);
    assert.deepEqual(record.slices?.withoutChecksums, slices === 1 ? undefined : ['sha256']);
    assert.equal(record.slices?.consistency, slices === 1 ? undefined : 'slice');
    const { bytes: _bytes, ...counts } = record.counts;
    const { bytes: _oneBytes, ...expectedCounts } = one.record.counts;
    assert.deepEqual(counts, expectedCounts);
    assert.deepEqual(record.warnings, one.record.warnings);
    assert.equal(record.generation, one.record.generation + 1);
    const bytes = await bytesOf(record.files);
    if (format['compression'] === undefined) {
      const [{ sha256, etag: _one, ...expected }] = one.record.files as [RunFile];
      const [{ etag: _many, ...file }] = record.files as [RunFile];
      assert.ok(sha256);
      assert.deepEqual(file, slices === 1 ? { ...expected, sha256 } : expected);
    }
    const text = (file: Buffer): Buffer => uncompressed(file, format['compression']);
    assert.ok(text(bytes).equals(text(whole)));
    const manifest = await verbs.exporter.manifest('exported');
    assert.equal(manifest['run'], record.run);
    assert.deepEqual(manifest['slices'], record.slices);
    await assertVerified(activation, record.run);
  });
}

test('what cannot be sliced is one slice, says why, and is the run', async () => {
  const reasons = async (settings: Parameters<Verbs['activation']>[0]): Promise<string | undefined> => {
    const activation = verbs.activation(settings);
    const one = await verbs.exporter.run(activation);
    const whole = await bytesOf(one.record.files);
    const { record, error, plan } = await verbs.all(activation);
    assert.equal(error, undefined);
    assert.equal(plan.slices.length, 1);
    const plain = (files: readonly RunFile[]): unknown => files.map(({ etag, ...file }) => file);
    assert.deepEqual(plain(record.files), plain(one.record.files));
    assert.ok((await bytesOf(record.files)).equals(whole));
    assert.equal(record.slices?.consistency, undefined);
    return record.slices?.reason;
  };
  const library = { type: 'json', engine: 'library' };
  const other = 'files of this format and engine cannot be joined from slices';
  assert.equal(await reasons({ model: MODEL, format: library }), other);
  assert.match((await reasons({ model: MODEL, consistency: 'snapshot' }))!, /^consistency is snapshot: /);
  assert.equal(
    await reasons({ model: MODEL, format: { type: 'csv', checksums: ['sha256'] } }),
    'the sha256 that format.checksums asks for is one of all bytes in order',
  );
  assert.match((await reasons({ sql: 'select 1 as id' }))!, /^the model is a query, /);
  assert.equal(await reasons({ model: { table: 'public.keyless' } }), 'the table has no primary key');
  assert.match((await reasons({ model: { table: 'public.words' } }))!, /^the column "w" of the primary key /);
  assert.equal(await reasons({ model: { table: 'public.parts' } }), 'the table is partitioned');
  assert.equal(await reasons({ model: { table: 'public.empty' } }), 'the table is too small to be divided');
  assert.match(
    (await reasons({ model: { ...MODEL, where: 'at < now()' } }))!,
    /^the condition depends on the time/,
  );
});

test('every row is in one slice, by a key of several columns and with a condition', async () => {
  const model = { table: 'public.pairs', where: "v <> 'v7'" };
  const { record, plan } = await verbs.all(verbs.activation({ model, where: 'a > $$b$$' }), 7);
  assert.ok(plan.slices.length > 4);
  const rows = await verbs.exporter.database.sql(
    `select v from pairs where v <> 'v7' and a > 'b' order by a, b`,
  );
  const [, ...lines] = (await bytesOf(record.files)).toString().trimEnd().split('\n');
  const values = lines.map(line => line.split(',')[2]!);
  assert.deepEqual(values.sort(), rows.map(row => row['v'] as string).sort());
});

test('a run without rows is what onEmpty says', async () => {
  const model = { ...MODEL, where: 'id < 0 and length(name) > 0' };
  for (const format of [{ type: 'csv' }, { type: 'json' }]) {
    const written = verbs.activation({ model, format });
    const one = await verbs.exporter.run(written);
    const whole = await bytesOf(one.record.files);
    const several = await verbs.all(written);
    assert.equal(several.error, undefined);
    assert.ok((await bytesOf(several.record.files)).equals(whole));
  }
  const skipped = await verbs.all(verbs.activation({ model, onEmpty: 'skip' }));
  assert.deepEqual(skipped.record.files, []);
  const failed = await verbs.all(verbs.activation({ model, onEmpty: 'fail' }));
  assert.match(String(failed.error), /there is nothing to write/);
});
