/**
 * What the parts of the row path cost a row that are neither encoder (bench/encoders.ts)
 * nor key table (bench/key-table.ts): cutting the messages of the wire, finding and
 * hashing the key, hashing the row, picking the rows that are written.
 *
 *   npx tsx bench/row-path.ts [--rounds 40]
 */
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type QueryStream from 'pg-query-stream';
import { HASH_WORDS } from '../src/baseline/key-table.ts';
import { newRowHashing } from '../src/baseline/row-hashing.ts';
import { SluiceError } from '../src/errors.ts';
import type { RowBatch } from '../src/row-batch.ts';
import { RowSelector } from '../src/sinks/row-selection.ts';
import { DataRowStream, type DriverConnection } from '../src/sources/postgres/data-row-stream.ts';
import { RowHasher } from '../src/transforms/row-hasher.ts';
import { SHAPES } from './support/encoder-rows.ts';
import { markdownTable } from './support/markdown-table.ts';

const { values: args } = parseArgs({ options: { rounds: { type: 'string', default: '40' } } });
const rounds = Number(args.rounds);
const { batches, columns } = SHAPES[0]!;
const rows = batches.reduce((sum, { rowCount }) => sum + rowCount, 0);
const hashes = new Int32Array(Math.max(...batches.map(({ rowCount }) => rowCount)) * HASH_WORDS);

const hasher = new RowHasher(newRowHashing(), [0]);
function hash(batch: RowBatch): void {
  hasher.hash(batch, hashes, batch.changes!);
}

const selector = new RowSelector();
function pick({ rowCount, changes }: RowBatch): void {
  selector.pick(changes!, rowCount, 0b11);
}

/** The rows as they come: each a DataRow message, cut anywhere into pieces of 64 KiB. */
const wire = Buffer.concat(batches.flatMap(messagesOf));

function messagesOf({ bytes, rowBounds, rowCount }: RowBatch): Buffer[] {
  return Array.from({ length: rowCount }, (_, row) => {
    const fields = bytes.subarray(rowBounds[2 * row]!, rowBounds[2 * row + 1]!);
    const head = Buffer.alloc(7);
    head.write('D');
    head.writeInt32BE(6 + fields.length, 1);
    head.writeInt16BE(columns.length, 5);
    return Buffer.concat([head, fields]);
  });
}

async function cut(): Promise<number> {
  const socket = Object.assign(new EventEmitter(), {
    setTimeout() {},
    pause() {},
    resume() {},
    destroyed: false,
  });
  socket.on('data', () => {});
  const connection = Object.assign(new EventEmitter(), { stream: socket }) as unknown as DriverConnection;
  const stream = new DataRowStream({
    portal: { cursor: { read() {} } } as unknown as QueryStream,
    connection,
    fetchSize: 0,
    inactivityTimeoutMs: 0,
    maxRowBytes: 1e9,
    fieldNames: columns.map(({ name }) => name),
    doing: 'measuring',
    toError: cause => new SluiceError('INTERNAL', String(cause)),
    abandon: () => {},
  });
  await setImmediate(); // until it listens
  const start = process.hrtime.bigint();
  for (let at = 0; at < wire.length; at += 65_536) {
    socket.emit('data', wire.subarray(at, at + 65_536));
    for (let batch = stream.read() as RowBatch | null; batch; batch = stream.read() as RowBatch | null)
      batch.release?.();
  }
  const nanoseconds = Number(process.hrtime.bigint() - start);
  if (stream.rows !== rows) throw new Error(`${stream.rows} of ${rows} rows were cut`);
  stream.on('error', () => {}).destroy();
  return nanoseconds;
}

async function onAllBatches(act: (batch: RowBatch) => void): Promise<number> {
  const start = process.hrtime.bigint();
  for (const batch of batches) act(batch);
  return Number(process.hrtime.bigint() - start);
}

async function bestPerRow(measure: () => Promise<number>): Promise<string> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) best = Math.min(best, await measure());
  return (best / rows).toFixed(1);
}

for (const batch of batches) batch.changes = Uint8Array.from({ length: batch.rowCount }, (_, row) => row & 3);
const parts: Record<string, () => Promise<number>> = {
  'copy from a plain socket and cut': cut,
  'pick by change': () => onAllBatches(pick),
  'find the key, hash it and the row': () => onAllBatches(hash),
};
const lines: string[][] = [];
for (const [what, measure] of Object.entries(parts)) lines.push([what, await bestPerRow(measure)]);
process.stdout.write(
  `${markdownTable(
    [
      { title: `rows of ${(wire.length / rows).toFixed(0)} bytes on the wire` },
      { title: 'ns a row', align: 'right' },
    ],
    lines,
  )}\n`,
);
