/**
 * The same packages as their manuals show it: an object per row, appended to the writer
 * one by one.
 */
import { PassThrough } from 'node:stream';
import { ParquetSchema, ParquetWriter } from '@dsnp/parquetjs';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { peerArguments, UPLOAD } from './peer-arguments.ts';

const { BOOL, INT4, INT8, NUMERIC, DATE, TIMESTAMPTZ } = pg.types.builtins;
/**
 * What the package has for the types; it takes no dates before 1970, and decimals as
 * floats only.
 */
const TYPES: Readonly<Record<number, string>> = {
  [BOOL]: 'BOOLEAN',
  [INT4]: 'INT32',
  [INT8]: 'INT64',
  [NUMERIC]: 'DOUBLE',
  [TIMESTAMPTZ]: 'TIMESTAMP_MICROS',
};

const { databaseUrl, query, blob } = peerArguments('plain-chain.parquet');
pg.types.setTypeParser(INT8, BigInt);
pg.types.setTypeParser(NUMERIC, Number);
pg.types.setTypeParser(DATE, text => text);
const client = new pg.Client(databaseUrl);
await client.connect();
const { fields } = await client.query(`select * from (${query}) described limit 0`);
const schema = new ParquetSchema(
  Object.fromEntries(
    fields.map(({ name, dataTypeID }) => [
      name,
      { type: TYPES[dataTypeID] ?? 'UTF8', optional: true, compression: 'SNAPPY' } as never,
    ]),
  ),
);
const out = new PassThrough();
const uploading = blob.uploadStream(out, UPLOAD.bufferSize, UPLOAD.maxConcurrency);
const writer = await ParquetWriter.openStream(schema, out as never);
for await (const row of client.query(new QueryStream(query))) {
  for (const name of Object.keys(row)) if (row[name] === null) delete row[name];
  await writer.appendRow(row);
}
await writer.close();
await uploading;
await client.end();
