import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { RunFile } from '../../../src/history/run-record.ts';
import { verifyRun } from '../../../src/verify/verify-run.ts';
import { everyNth } from '../../support/all-cases.ts';
import { uncompressed } from '../../support/uncompressed.ts';
import { Verbs } from './support.ts';

const ROWS = 2000;
const SLICES = 4;
const MODEL = { table: 'public.t' };
const ALL_IDS = Array.from({ length: ROWS }, (_, index) => index + 1);

let verbs: Verbs;
before(async () => {
  verbs = await Verbs.open();
  const rows = (count: number): string =>
    `select i, 'v' || i || repeat(md5(i::text), i % 5) from generate_series(1, ${count}) i`;
  await verbs.exporter.database.sql(`
    create table t (id int primary key, v text); insert into t ${rows(ROWS)};
    create table less (id int primary key, v text); insert into less ${rows(400)};`);
});
after(() => verbs.close());

async function idsOf(file: RunFile, format: Record<string, unknown>): Promise<number[]> {
  const bytes = await verbs.exporter.container.download(file.name);
  if (format['type'] === 'parquet') {
    const rows = await parquetReadObjects({ file: Uint8Array.from(bytes).buffer, compressors });
    return rows.map(row => Number(row['id']));
  }
  const plain = uncompressed(bytes, format['compression']);
  const text = plain.toString(format['encoding'] === 'utf-16le' ? 'utf16le' : 'utf8');
  if (format['type'] === 'json') return (JSON.parse(text) as { id: number }[]).map(({ id }) => id);
  if (format['type'] === 'xml') {
    assert.match(text, /^<\?xml .*<\/rows>\s*$/s);
    return Array.from(text.matchAll(/<id>(\d+)<\/id>/g), ([, id]) => Number(id));
  }
  const [header, ...lines] = text.trimEnd().split('\n');
  assert.match(header!, /id/);
  return lines.map(line => Number.parseInt(line, 10));
}

/** Parts are complete, within limits, numbered without a gap, and have all rows once. */
async function assertParts(
  files: readonly RunFile[],
  { format, maxFileRows = Infinity, maxBytes = Infinity, ids = ALL_IDS }: Expected,
): Promise<void> {
  const [first] = files;
  const [, stem, ending] = /^([^.]+)(\..*)$/.exec(first!.name)!;
  const names = files.map((_, index) =>
    index === 0 ? first!.name : `${stem}_part${String(index + 1).padStart(5, '0')}${ending}`,
  );
  assert.deepEqual(
    files.map(({ name }) => name),
    names,
  );
  const found: number[] = [];
  for (const file of files) {
    assert.ok(file.rows <= maxFileRows && file.bytes <= maxBytes, JSON.stringify(file));
    assert.ok(file.sha256);
    const own = await idsOf(file, format);
    assert.equal(own.length, file.rows);
    found.push(...own);
  }
  assert.deepEqual(
    found.sort((one, other) => one - other),
    ids,
  );
}

interface Expected {
  readonly format: Record<string, unknown>;
  readonly maxFileRows?: number;
  readonly maxBytes?: number;
  readonly ids?: readonly number[];
}

async function assertVerified(activation: ResolvedActivation, run: string): Promise<void> {
  const { signal } = new AbortController();
  const { ok, files } = await verifyRun({ run, activations: [activation], signal });
  assert.ok(ok, JSON.stringify(files));
}

const KiB = 1024;
const CASES: readonly { format: Record<string, unknown>; maxFileRows?: number; maxKiB?: number }[] = [
  { format: { type: 'csv' }, maxFileRows: 150 },
  { format: { type: 'json' }, maxKiB: 20 },
  { format: { type: 'xml', compression: 'zstd' }, maxFileRows: 333 },
  { format: { type: 'csv', compression: 'gzip' }, maxKiB: 10, maxFileRows: 400 },
  { format: { type: 'csv', encoding: 'utf-16le' }, maxKiB: 50 },
  { format: { type: 'json', engine: 'library' }, maxFileRows: 499 },
  { format: { type: 'parquet' }, maxKiB: 8 },
];
for (const [index, { format, maxFileRows, maxKiB }] of everyNth(3, CASES).entries()) {
  const limits = { ...(maxFileRows && { maxFileRows }), ...(maxKiB && { maxFileSize: `${maxKiB}KiB` }) };
  const fileName = `case${index}`;
  test(`slices write parts within ${JSON.stringify(limits)}: ${JSON.stringify(format)}`, async () => {
    const activation = verbs.activation({ model: MODEL, format, fileName, ...limits });
    const files = verbs.files();
    await verbs.begin(activation, files, SLICES);
    // All at once: they take numbers as they come.
    await Promise.all([2, 0, 3, 1].map(slice => verbs.slice(activation, files, slice)));
    const { record, error } = await verbs.finalise(activation, files);
    assert.equal(error, undefined);
    assert.equal(record.slices?.withoutChecksums, undefined);
    assert.ok(record.files.length > SLICES);
    const expected = {
      format,
      ...(maxFileRows && { maxFileRows }),
      ...(maxKiB && { maxBytes: maxKiB * KiB }),
    };
    await assertParts(record.files, expected);
    await assertVerified(activation, record.run);
    // A later run that needs fewer parts removes the others.
    const less = await verbs.all(
      verbs.activation({ model: { ...MODEL, where: 'id <= 900' }, format, fileName, ...limits }),
    );
    assert.equal(less.error, undefined);
    const names = less.record.files.map(({ name }) => name);
    const there = (await verbs.exporter.files()).filter(name => name.startsWith(fileName));
    assert.deepEqual(there.sort(), names.sort());
  });
}

test('a slice goes on with the numbers of an attempt that was cut off', async () => {
  const format = { type: 'csv' };
  const activation = verbs.activation({
    model: { table: 'public.less' },
    format,
    maxFileRows: 40,
    fileName: 'cut',
  });
  const files = verbs.files();
  const plan = await verbs.begin(activation, files, 2);
  // As two attempts that were killed leave them, while the other slice went on.
  assert.equal(await files.claimPart(plan, 0, 0), 1);
  assert.equal(await files.claimPart(plan, 1, 0), 2);
  assert.equal(await files.claimPart(plan, 0, 1), 3);
  await Promise.all([0, 1, 0].map(slice => verbs.slice(activation, files, slice)));
  const { record } = await verbs.finalise(activation, files);
  assert.equal(record.files.length, 10);
  await assertParts(record.files, { format, maxFileRows: 40, ids: ALL_IDS.slice(0, 400) });
});

test('a number that is not needed after all is a part without rows', async () => {
  for (const format of [{ type: 'json' }, { type: 'parquet' }, { type: 'csv', compression: 'gzip' }]) {
    const activation = verbs.activation({
      model: { table: 'public.less' },
      format,
      maxFileRows: 100,
      fileName: 'fewer',
      onEmpty: 'skip',
    });
    const files = verbs.files();
    const plan = await verbs.begin(activation, files, 2);
    for (const after of [0, 1, 2]) assert.equal(await files.claimPart(plan, 0, after), after + 1);
    for (const slice of [1, 0]) await verbs.slice(activation, files, slice);
    const { record, error } = await verbs.finalise(activation, files);
    assert.equal(error, undefined);
    assert.deepEqual(
      record.files.map(({ rows }) => rows),
      [100, 100, 0, 100, 100],
    );
    await assertParts(record.files, { format, ids: ALL_IDS.slice(0, 400) });
    await assertVerified(activation, record.run);
  }
});

test('parts of a run without rows are what onEmpty says', async () => {
  const model = { ...MODEL, where: 'id < 0 and length(v) > 0' };
  const written = await verbs.all(verbs.activation({ model, format: { type: 'json' }, maxFileRows: 10 }));
  assert.equal(written.error, undefined);
  assert.deepEqual(
    written.record.files.map(({ rows }) => rows),
    [0],
  );
  const skipped = await verbs.all(verbs.activation({ model, maxFileRows: 10, onEmpty: 'skip' }));
  assert.deepEqual(skipped.record.files, []);
});
