/**
 * The same packages chained as their manuals show it: a row per chunk, an object per row.
 */
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import XMLWriter from 'xml-writer';
import { peerArguments, UPLOAD } from './peer-arguments.ts';

const { databaseUrl, query, blob } = peerArguments('plain-chain.xml');
const client = new pg.Client(databaseUrl);
await client.connect();
const rows = client.query(new QueryStream(query));
const xml = new Transform({
  writableObjectMode: true,
  construct(callback) {
    this.push('<?xml version="1.0" encoding="UTF-8"?>\n<rows>\n');
    callback();
  },
  transform(row: Record<string, unknown>, _encoding, callback) {
    const writer = new XMLWriter(false);
    writer.startElement('row');
    for (const [name, value] of Object.entries(row)) {
      if (value === null) continue;
      writer.startElement(name).text(value instanceof Date ? value.toISOString() : String(value));
      writer.endElement();
    }
    writer.endElement();
    callback(null, `${writer.output}\n`);
  },
  flush(callback) {
    callback(null, '</rows>\n');
  },
});
const out = new PassThrough();
await Promise.all([
  pipeline(rows, xml, out),
  blob.uploadStream(out, UPLOAD.bufferSize, UPLOAD.maxConcurrency),
]);
await client.end();
