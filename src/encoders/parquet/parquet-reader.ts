import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AsyncBuffer, parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { stateError } from '../../system-errors.ts';
import { ColumnCheck } from '../reading/column-check.ts';
import type { ExpectedFile, FileContents } from '../reading/file-reader.ts';

/**
 * Decodes every value. A Parquet file is read from its end, so it is put on disk first,
 * in the folder for temporary files (TMPDIR).
 */
export async function readParquet(
  bytes: AsyncIterable<Buffer>,
  { columns }: ExpectedFile,
): Promise<FileContents> {
  const folder = await onDisk(() => mkdtemp(join(tmpdir(), 'sluice-verify-')));
  try {
    const file = await onDisk(() => open(join(folder, 'file.parquet'), 'wx+', 0o600));
    try {
      let byteLength = 0;
      for await (const chunk of bytes) {
        await onDisk(() => file.appendFile(chunk));
        byteLength += chunk.length;
      }
      return await readSpooled(
        { byteLength, slice: (start, end) => slice(file, start, end ?? byteLength) },
        columns,
      );
    } finally {
      await file.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readSpooled(file: AsyncBuffer, columns: readonly string[] | undefined): Promise<FileContents> {
  const metadata = await parquetMetadataAsync(file);
  const names = parquetSchema(metadata).children.map(({ element }) => element.name);
  const check = new ColumnCheck(columns, { mayOmit: false });
  for (const name of names) check.take(name, 'the schema');
  check.end('the schema');

  let rows = 0;
  for (const group of metadata.row_groups) {
    const rowStart = rows;
    const rowEnd = rowStart + Number(group.num_rows);
    for (const name of names) {
      let values = 0;
      await parquetRead({
        file,
        metadata,
        columns: [name],
        rowStart,
        rowEnd,
        compressors,
        onChunk: ({ columnData }) => {
          values += columnData.length;
        },
      });
      if (values !== rowEnd - rowStart) {
        const place = `column ${JSON.stringify(name)} of the row group from row ${rowStart + 1} on`;
        throw new Error(`${place} has ${values} of ${rowEnd - rowStart} values`);
      }
    }
    rows = rowEnd;
  }
  if (BigInt(rows) !== metadata.num_rows)
    throw new Error(`the footer says ${metadata.num_rows} rows, its row groups have ${rows}`);
  return { rows, columnProblem: check.problem };
}

async function slice(file: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  if (start < 0 || end < start) throw new Error(`it points to the bytes from ${start} to ${end}`);
  const bytes = new Uint8Array(end - start);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
    if (bytesRead === 0) throw new Error(`it ends before byte ${end}`);
    at += bytesRead;
  }
  return bytes.buffer;
}

async function onDisk<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw stateError(cause, `putting the file into ${tmpdir()} failed`, { stage: 'run', setting: 'TMPDIR' });
  }
}
