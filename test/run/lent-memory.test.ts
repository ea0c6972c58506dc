import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { RowBatch } from '../../src/row-batch.ts';
import { DataRowStream } from '../../src/sources/postgres/data-row-stream.ts';
import { duckQuery } from '../conformance/parquet-readers.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

/**
 * What a batch's memory is overwritten with as it is given back: whoever still reads it
 * gets what no row holds.
 */
const SPOILT = 0xa5;
const COLUMNS = 'id, name, amount, at, note';
const ROWS = 12_000;
const CREATE = `create table t (id int primary key, name text, amount numeric, at timestamptz, note text);
  insert into t select i, case when i % 7 = 0 then null else 'näme "' || i || '",' end, i / 4.0,
    '2020-01-01 00:00:00.5+00'::timestamptz + i * interval '1 minute',
    repeat(md5(i::text), i % 19) || case when i % 5999 = 0 then repeat('ü', 300000) else '' end
  from generate_series(1, ${ROWS}) i`;
const CHANGE = `update t set name = 'new ' || id where id % 11 = 0; delete from t where id % 13 = 5;
  insert into t select i, 'added', i, '2021-01-01', repeat('z', i % 500) from generate_series(40001, 42000) i`;

const push = DataRowStream.prototype.push;
let released = 0;

beforeEach(() => {
  released = 0;
  DataRowStream.prototype.push = function (batch: RowBatch | null): boolean {
    const release = batch?.release;
    if (batch && release) {
      batch.release = () => {
        released++;
        batch.bytes.fill(SPOILT);
        batch.rowBounds.fill(-1);
        release();
      };
    }
    return push.call(this, batch);
  };
});
afterEach(() => {
  DataRowStream.prototype.push = push;
});

/** The rows of the table, as PostgreSQL's JSON has them. */
async function queried(exporter: Exporter): Promise<string[]> {
  const rows = await exporter.database.sql<{ row: unknown[] }>(
    `select json_build_array(id, name, amount, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), md5(note), length(note)) as row from t`,
  );
  return rows.map(({ row }) => JSON.stringify(row));
}

async function written(exporter: Exporter, prefix: string): Promise<string[]> {
  const rows: string[] = [];
  for (const file of await exporter.files()) {
    if (!file.startsWith(prefix)) continue;
    const bytes = await exporter.container.download(file);
    if (file.endsWith('.parquet')) {
      rows.push(...(await readParquet(bytes)));
      continue;
    }
    const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    for (const line of text.trimEnd().split('\n')) {
      if (line === '') continue;
      const { id, name, amount, at, note } = JSON.parse(line);
      const md5 = createHash('md5').update(note).digest('hex');
      rows.push(JSON.stringify([id, name, amount, new Date(at).toISOString(), md5, note.length]));
    }
  }
  return rows;
}

async function readParquet(bytes: Buffer): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-lent-'));
  try {
    const path = join(folder, 'part.parquet');
    await writeFile(path, bytes);
    const values = 'id, name, amount, epoch_ms("at")::varchar, md5(note), length(note)::varchar';
    const rows = (await duckQuery(`select ${values} from '${path}'`)) as (string | null)[][];
    return rows.map(([id, name, amount, at, md5, length]) =>
      JSON.stringify([
        Number(id),
        name,
        Number(amount),
        new Date(Number(at)).toISOString(),
        md5,
        Number(length),
      ]),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

function agree(seen: string[], expected: string[], what: string): void {
  seen.sort();
  expected.sort();
  const place = expected.findIndex((row, index) => row !== seen[index]);
  const one = place < 0 ? seen[expected.length] : seen[place];
  assert.ok(place < 0 && one === undefined, `${what}: ${one} where ${expected[place]} is due`);
}

for (const settings of [
  { format: { type: 'json', layout: 'lines' } },
  { format: { type: 'json', layout: 'lines', compression: 'gzip' }, maxFileSize: '300KiB' },
  { format: { type: 'json', layout: 'lines' }, stateMemory: '1MiB' },
  { format: { type: 'parquet', rowGroupRows: 3000 } },
  { format: { type: 'json', layout: 'lines' }, blockSize: '64KiB', mapping: COLUMNS.split(', ') },
]) {
  test(`no part of a batch is read after it was given back: ${JSON.stringify(settings)}`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(CREATE);
      const activation = exporter.activation({
        sql: `select ${COLUMNS} from t order by md5(id::text)`,
        fileName: '{run}',
        runType: 'full_then_delta',
        syncMode: 'difference',
        ...settings,
      });
      let before = new Map<string, string>();
      for (const change of ['', CHANGE, 'update t set note = note || id where id % 1000 = 1']) {
        if (change) await exporter.database.sql(change);
        released = 0;
        const { record, error } = await exporter.run(activation);
        assert.equal(record.state, 'succeeded', String(error));
        assert.ok(released > 10, `${released} batches were given back`);
        const now = new Map((await queried(exporter)).map(row => [row.slice(0, row.indexOf(',')), row]));
        const of = (kind: string) => written(exporter, `${record.run}_${kind}`);
        const rows = [...now];
        const added = rows.filter(([id]) => !before.has(id));
        const updated = rows.filter(([id, row]) => before.has(id) && before.get(id) !== row);
        const removed = [...before].filter(([id]) => !now.has(id));
        agree(
          await of('added'),
          added.map(([, row]) => row),
          'added',
        );
        agree(
          await of('updated'),
          updated.map(([, row]) => row),
          'updated',
        );
        agree(
          await of('removed'),
          removed.map(([, row]) => row),
          'removed',
        );
        before = now;
      }
    }));
}
