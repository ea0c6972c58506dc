import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { SluiceError } from '../../src/errors.ts';
import type { RunFile, RunRecord } from '../../src/history/run-record.ts';
import type { ExportResult } from '../../src/run/export-run.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { gone } from '../sources/postgres/support.ts';
import { everyNth } from '../support/all-cases.ts';
import { Exporter } from '../support/exporter.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/**
 * About 80 MiB, which are nine slices: most of it in a column that nobody reads, so that
 * there is little to export.
 */
const ROWS = 30_000;
const TABLE = `
  create unlogged table t (id int primary key, name text, amount numeric(12,2), at timestamptz, flag boolean, doc jsonb,
    ratio float8, filler text not null);
  alter table t alter filler set storage plain;
  insert into t select i, case when i % 7 = 0 then null else 'näme, "' || i || repeat('y', i % 50) end, i * 1.25,
      timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second', i % 3 = 0, jsonb_build_object('i', i, 't', 'a<b'),
      case when i % 10000 = 9999 then 'NaN'::float8 else i end, repeat('x', 2300)
    from generate_series(1, ${ROWS}) i;
  create table parts (id int, v text) partition by range (id);`;
const COLUMNS = ['id', 'name', 'amount', 'at', 'flag', 'doc', 'ratio'];
const MODEL = { table: 'public.t', columns: COLUMNS };

let exporter: Exporter;
before(async () => {
  exporter = await Exporter.open();
  await exporter.database.sql(TABLE);
});
after(() => exporter.close());

interface Exported {
  readonly record: RunRecord;
  readonly files: readonly Omit<RunFile, 'etag'>[];
  readonly bytes: readonly Buffer[];
}

async function exported(settings: Record<string, unknown>): Promise<Exported> {
  const activation = exporter.activation({ model: MODEL, ...settings });
  const { record, error } = await exporter.run(activation);
  assert.equal(error, undefined);
  assert.equal(record.counts.read, ROWS);
  assert.equal(record.counts.written, ROWS);
  const bytes = await Promise.all(record.files.map(({ name }) => exporter.container.download(name)));
  return { record, files: record.files.map(({ etag, ...file }) => file), bytes };
}

async function assertSame(settings: Record<string, unknown>, parallel: number): Promise<void> {
  const one = await exported(settings);
  assert.equal(one.record.readers, undefined);
  const several = await exported({ ...settings, parallel });
  assert.equal(several.record.readers?.count, parallel);
  assert.equal(several.record.readers?.reason, undefined);
  assert.deepEqual(several.files, one.files);
  assert.ok(several.bytes.every((bytes, index) => bytes.equals(one.bytes[index]!)));
  assert.deepEqual(several.record.warnings, one.record.warnings);
}

const CSV = { type: 'csv' };
const CASES: readonly (readonly [name: string, readers: number, format: Record<string, unknown>])[] = [
  ['CSV', 2, CSV],
  ['CSV', 3, CSV],
  ['CSV', 7, CSV],
  ['CSV in gzip', 3, { ...CSV, compression: 'gzip' }],
  ['CSV in zstd', 2, { ...CSV, compression: 'zstd' }],
  ['CSV in another encoding', 3, { ...CSV, encoding: 'utf-16le' }],
  ['CSV with conversions', 3, { ...CSV, lineBreaks: 'space', binary: 'hex' }],
  ['JSON', 3, { type: 'json' }],
  ['NDJSON', 3, { type: 'json', layout: 'lines' }],
  ['JSON by the library', 3, { type: 'json', engine: 'library' }],
  ['XML', 3, { type: 'xml' }],
];
for (const [name, readers, format] of everyNth(CASES.length, CASES)) {
  test(`${readers} readers write the ${name} that one writes, byte for byte`, () =>
    assertSame({ format }, readers));
}

test('several readers write a Parquet file with the rows of one, in their order', async () => {
  const format = { type: 'parquet', rowGroupRows: 8000 };
  const rowsOf = async (parallel: number): Promise<Record<string, unknown>[]> => {
    const { bytes } = await exported({ format, parallel });
    return parquetReadObjects({ file: Uint8Array.from(bytes[0]!).buffer });
  };
  const rows = await rowsOf(1);
  assert.equal(rows.length, ROWS);
  for (const readers of everyNth(3, [2, 3, 7])) assert.deepEqual(await rowsOf(readers), rows);
});

const LIMITS = [
  { format: { type: 'json' }, maxFileSize: '700KiB' },
  { format: { type: 'xml' }, maxFileRows: 7001 },
  { format: { type: 'csv', compression: 'gzip' }, maxFileSize: '100KiB', maxFileRows: 9000 },
];
for (const limits of everyNth(3, LIMITS)) {
  test(`parts of several readers are those of one: ${JSON.stringify(limits)}`, () => assertSame(limits, 2));
}

test('a value that cannot be written is refused with its place in the file', async () => {
  const refused = async (parallel: number): Promise<string> => {
    const format = { type: 'json', onUnrepresentable: 'fail' };
    const { error } = await exporter.run(exporter.activation({ model: MODEL, format, parallel }));
    return String(error);
  };
  const one = await refused(1);
  assert.match(one, /column "ratio" holds NaN.*in row 9999 of its file/);
  assert.equal(await refused(2), one);
});

test('one reader reads what cannot be divided, and record and validate say why', async () => {
  const reasons = async (settings: Record<string, unknown>): Promise<string | undefined> => {
    const activation = exporter.activation({ parallel: 4, ...settings });
    const { record, error } = await exporter.run(activation);
    assert.equal(error, undefined);
    assert.equal(record.readers?.count, 1);
    const { signal } = new AbortController();
    const { notes, checks } = await validateActivation({ activation, offline: false, signal });
    const check = checks.find(found => found.check === 'readers');
    assert.ok(check?.outcome === 'passed' && check.message.endsWith(record.readers.reason!));
    assert.ok(
      notes.some(({ code, message }) => code === 'ONE_READER' && message.endsWith(record.readers!.reason!)),
    );
    return record.readers.reason;
  };
  assert.equal(
    await reasons({ sql: 'select 1 as id' }),
    'the model is a query, and only a `table` is divided',
  );
  assert.equal(await reasons({ model: { table: 'public.parts' } }), 'the table is partitioned');
  assert.equal(
    await reasons({ model: { ...MODEL, where: 'id < 10' }, runType: 'full_then_delta', syncMode: 'upsert' }),
    'runs of full_then_delta compare all rows in one place',
  );
});

test('validate says how many readers and connections a run has', async () => {
  const { signal } = new AbortController();
  const { notes, checks } = await validateActivation({
    activation: exporter.activation({ model: MODEL, parallel: 4 }),
    offline: false,
    signal,
  });
  const check = checks.find(found => found.check === 'readers');
  assert.ok(check?.outcome === 'passed');
  assert.match(
    check.message,
    /^4, which take \d+ slices; on 5 connections, one of which holds the snapshot$/,
  );
  assert.deepEqual(notes, []);
});

interface Interrupted {
  readonly proxy: TcpProxy;
  readonly abort: AbortController;
}

/** A run of three readers that is stopped in the middle, until `act` has resolved. */
async function interrupted(act: (run: Interrupted) => Promise<void>): Promise<ExportResult> {
  const { database } = exporter;
  const proxy = await startTcpProxy(database.url);
  const abort = new AbortController();
  try {
    const source = { url: proxy.through(database.url), applicationName: 'parallel readers' };
    const activation = exporter.activation({ model: MODEL, source, parallel: 3 });
    const running = exporter.run(activation, { signal: abort.signal });
    await Promise.race([proxy.passed({ toClient: 500_000 }), running]);
    proxy.pause();
    await act({ proxy, abort });
    proxy.resume();
    const result = await running;
    await gone(database, 'parallel readers');
    assert.deepEqual(result.record.files, []);
    return result;
  } finally {
    await proxy.close();
  }
}

async function terminate(state: string): Promise<void> {
  const ended = await exporter.database.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'parallel readers' and state = '${state}' limit 1`,
  );
  assert.equal(ended.length, 1);
}

test('a run ends with the connection of one of its readers, and leaves no session', async () => {
  const { error } = await interrupted(() => terminate('active'));
  assert.ok(error instanceof SluiceError);
  assert.equal(error.code, 'SOURCE_CONNECTION_LOST');
  assert.equal(error.retryable, true);
});

test('a run ends with the connection that holds the snapshot, and leaves no session', async () => {
  const { error } = await interrupted(() => terminate('idle in transaction'));
  assert.ok(error instanceof SluiceError);
  assert.equal(error.code, 'SOURCE_CONNECTION_LOST');
});

test('a run that is cancelled leaves no session of a reader', async () => {
  const { error, record } = await interrupted(async ({ abort }) => abort.abort());
  assert.ok(error instanceof SluiceError);
  assert.equal(error.code, 'CANCELLED');
  assert.equal(record.state, 'cancelled');
});
