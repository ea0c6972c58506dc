/**
 * The same packages chained as their manuals show it: a row per chunk, an object per row.
 */
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { disassembler } from 'stream-json/disassembler.js';
import { stringer } from 'stream-json/stringer.js';
import { peerArguments, UPLOAD } from './peer-arguments.ts';

const { databaseUrl, query, blob } = peerArguments('plain-chain.json');
const client = new pg.Client(databaseUrl);
await client.connect();
const rows = client.query(new QueryStream(query));
const out = new PassThrough();
await Promise.all([
  pipeline(rows, disassembler.asStream(), stringer.asStream({ makeArray: true }), out),
  blob.uploadStream(out, UPLOAD.bufferSize, UPLOAD.maxConcurrency),
]);
await client.end();
