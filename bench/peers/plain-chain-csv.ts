/**
 * The same packages chained as their manuals show it: a row per chunk, an object per row.
 */
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { peerArguments, UPLOAD } from './peer-arguments.ts';

const { databaseUrl, query, blob } = peerArguments('plain-chain.csv');
const client = new pg.Client(databaseUrl);
await client.connect();
const rows = client.query(new QueryStream(query));
const csv = stringify({
  header: true,
  cast: { boolean: value => (value ? 'true' : 'false'), date: value => value.toISOString() },
});
const out = new PassThrough();
await Promise.all([
  pipeline(rows, csv, out),
  blob.uploadStream(out, UPLOAD.bufferSize, UPLOAD.maxConcurrency),
]);
await client.end();
