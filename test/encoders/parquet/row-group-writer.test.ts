import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parquetMetadata } from 'hyparquet';
import { ipcStream, schemaMessage } from '../../../src/encoders/parquet/arrow-ipc.ts';
import { ColumnBuffer } from '../../../src/encoders/parquet/fill/column-buffer.ts';
import { FILLS } from '../../../src/encoders/parquet/fill/fill.ts';
import { ParquetEncoder } from '../../../src/encoders/parquet/parquet.ts';
import { parquetColumns } from '../../../src/encoders/parquet/parquet-column.ts';
import { rowGroupWriter } from '../../../src/encoders/parquet/row-group-writer.ts';
import { SluiceError } from '../../../src/errors.ts';
import { batchOf, column } from '../../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../conformance/parquet-arbitraries.ts';
import { writeFile } from '../../conformance/parquet-parts.ts';

function write(stream: Uint8Array<ArrayBuffer>) {
  const options = {
    compression: 'none',
    dictionary: true,
    withoutDictionary: [],
    withoutStatistics: [],
  } as const;
  return rowGroupWriter.write({ stream, rowCount: 1, ...options });
}

function stream(): Uint8Array<ArrayBuffer> {
  const parquet = parquetColumns([column('a', 'int32')], DEFAULT_PARQUET_OPTIONS);
  const buffer = new ColumnBuffer(parquet[0]!);
  buffer.reserveRows(1, 0);
  FILLS.int32(buffer, 0, Buffer.from('7'), Int32Array.of(0), Int32Array.of(1), 0, 1);
  return ipcStream(schemaMessage(parquet), [buffer], 1, undefined);
}

function dump(file: Buffer): ReturnType<typeof parquetMetadata> {
  const bytes = new ArrayBuffer(file.length);
  new Uint8Array(bytes).set(file);
  return parquetMetadata(bytes);
}

const isInternal = (error: unknown): boolean => error instanceof SluiceError && error.code === 'INTERNAL';

test('a row group that cannot be written is an error, and so is what waits behind it; the next one is written', async () => {
  const [bad, behind] = await Promise.allSettled([write(new Uint8Array([1, 2, 3])), write(stream())]);
  assert.ok(bad.status === 'rejected' && isInternal(bad.reason));
  assert.ok(behind.status === 'fulfilled' || isInternal(behind.reason));
  assert.ok((await write(stream())).file.length > 0);
});

test('gives the memory of the stream back', async () => {
  const sent = stream();
  const { byteLength } = sent.buffer;
  const { memory } = await write(sent);
  assert.equal(sent.buffer.byteLength, 0, 'it was moved, not copied');
  assert.equal(memory.byteLength, byteLength);
});

test('a file says who wrote its pages, as they do themselves', async () => {
  const { file } = await write(stream());
  const ours = await writeFile(
    () => new ParquetEncoder([column('a', 'int32')], DEFAULT_PARQUET_OPTIONS),
    [batchOf([['7']])],
  );
  assert.equal(dump(ours).created_by, dump(file).created_by);
});

test('the thread does not keep a process alive', async () => {
  const source = new URL('../../../src/encoders/parquet/row-group-writer.ts', import.meta.url).href;
  const code = `
    const { rowGroupWriter } = await import(${JSON.stringify(source)});
    const options = { rowCount: 1, compression: 'none', dictionary: true, withoutDictionary: [], withoutStatistics: [] };
    await rowGroupWriter.write({ stream: new Uint8Array([1]), ...options }).catch(error => console.log(error.code));`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  assert.equal(stdout.trim(), 'INTERNAL');
});
