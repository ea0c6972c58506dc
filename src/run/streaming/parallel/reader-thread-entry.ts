import { parentPort, workerData } from 'node:worker_threads';
import { loadEncoder } from '../../../load-encoder.ts';
import { toPlainError } from '../../../plain-error.ts';
import { SLICE_READERS } from '../../../registry.ts';
import type { RowBatch } from '../../../row-batch.ts';
import type { Slice } from '../../../sources/source.ts';
import type { FromReader, ReaderWork, SentRows, ToReader } from './reader-messages.ts';
import { isPiece, SliceEncoder, sentRows } from './slice-encoder.ts';

/**
 * The program of a thread that reads: it asks for slices, sends their rows, and ends when
 * there are none left, when something fails, or when it is told to.
 */

const { source, readerOptions, fields, written, format, aheadBytes } = workerData as ReaderWork;
const port = parentPort!;
const reader = (await SLICE_READERS[source]!())(readerOptions);

let isStopped = false;
/** Bytes that were sent and not taken. */
let ahead = 0;
const spares: ArrayBuffer[] = [];
let onTaken: () => void = () => {};
let onSlice: (slice: Slice | undefined) => void = () => {};

port.on('message', (message: ToReader) => {
  switch (message.what) {
    case 'slice':
      onSlice(message.slice);
      return;
    case 'taken':
      ahead -= message.memory.byteLength;
      if (isPiece(message.memory)) spares.push(message.memory);
      onTaken();
      return;
    case 'stop':
      isStopped = true;
      onTaken();
      onSlice(undefined);
      void reader.close();
      return;
    default:
      message satisfies never;
  }
});

try {
  tell(await readSlices());
} catch (error) {
  tell({ what: 'failed', error: toPlainError(error) });
}
await reader.close();
port.close();

async function readSlices(): Promise<FromReader> {
  await reader.describe();
  const encoder = format && (await loadEncoder({ format }))(written);
  const pieces = encoder && new SliceEncoder(encoder, send, () => spares.pop());
  for (let slice = await nextSlice(); slice !== undefined; slice = await nextSlice()) {
    for await (const batch of reader.readSlice(fields, slice))
      await (pieces ? pieces.write(batch) : send(sentRows(batch as RowBatch)));
    await pieces?.flush();
  }
  const { rows } = await reader.finish();
  const coerced = Array.from(encoder?.coerced ?? [], ([{ name }, count]) => [name, count] as const);
  return { what: 'finished', rows, coerced };
}

function nextSlice(): Promise<Slice | undefined> {
  return new Promise(resolve => {
    onSlice = resolve;
    tell({ what: 'next' });
  });
}

async function send(rows: SentRows): Promise<void> {
  ahead += rows.memory.byteLength;
  tell({ what: 'rows', ...rows }, [rows.memory, rows.rowBounds.buffer]);
  while (ahead >= aheadBytes && !isStopped) await new Promise<void>(resolve => (onTaken = resolve));
}

function tell(message: FromReader, memory: ArrayBuffer[] = []): void {
  port.postMessage(message, memory);
}
