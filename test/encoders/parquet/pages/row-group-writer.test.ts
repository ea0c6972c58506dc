import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ColumnFiller } from '../../../../src/encoders/parquet/fill/column-filler.ts';
import {
  type RowGroupRequest,
  writeRowGroup,
} from '../../../../src/encoders/parquet/pages/row-group-writer.ts';
import { parquetColumns } from '../../../../src/encoders/parquet/parquet-column.ts';
import { SluiceError } from '../../../../src/errors.ts';
import { batchOf, column } from '../../../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../../conformance/parquet-arbitraries.ts';

function request(): RowGroupRequest {
  const filler = new ColumnFiller(parquetColumns([column('a', 'int32')], DEFAULT_PARQUET_OPTIONS));
  filler.take(batchOf([['7']]), Int32Array.of(0), 0, 1);
  const { columns, crates } = filler.finish();
  const requested = columns.map(({ pages }) => ({ width: 4, dictionary: true, pages }));
  return { columns: requested, crates, compression: 'none' };
}

const isInternal = (error: unknown): boolean => error instanceof SluiceError && error.code === 'INTERNAL';

test('a row group that cannot be written is an error, and so is what waits behind it; the next one is written', async () => {
  const unreadable = { ...request(), crates: [] };
  const [bad, behind] = await Promise.allSettled([writeRowGroup(unreadable), writeRowGroup(request())]);
  assert.ok(bad.status === 'rejected' && isInternal(bad.reason));
  assert.ok(behind.status === 'fulfilled' || isInternal(behind.reason));
  assert.ok((await writeRowGroup(request())).bytes.length > 0);
});

test('gives the memory of the pages back', async () => {
  const sent = request();
  const { byteLength } = sent.crates[0]!;
  const { crates } = await writeRowGroup(sent);
  assert.equal(sent.crates[0]!.byteLength, 0, 'it was moved, not copied');
  assert.deepEqual(
    crates.map(crate => crate.byteLength),
    [byteLength],
  );
});

test('the thread does not keep a process alive', async () => {
  const source = new URL('../../../../src/encoders/parquet/pages/row-group-writer.ts', import.meta.url).href;
  const code = `
    const { writeRowGroup } = await import(${JSON.stringify(source)});
    const page = { crate: 1, at: 0, levelBytes: 0, valueBytes: 4, rowCount: 1, valueCount: 1 };
    const columns = [{ width: 4, dictionary: false, pages: [page] }];
    await writeRowGroup({ columns, crates: [], compression: 'none' }).catch(error => console.log(error.code));`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  assert.equal(stdout.trim(), 'INTERNAL');
});
