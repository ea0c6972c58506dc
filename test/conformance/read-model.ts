import type { Column, RowBatch } from '../../src/row-batch.ts';
import { PostgresSource } from '../../src/sources/postgres/postgres-source.ts';
import { addressOf } from '../support/postgres-address.ts';

export interface ModelRows {
  readonly columns: readonly Column[];
  readonly batches: readonly RowBatch[];
}

/** What a model of this column alone would give. */
export function columnAlone({ columns, batches }: ModelRows, column: number): ModelRows {
  const narrowed = batches.map((batch): RowBatch => {
    const rowBounds = new Int32Array(2 * batch.rowCount);
    for (let row = 0; row < batch.rowCount; row++) {
      let at = batch.rowBounds[2 * row]!;
      for (let passed = 0; passed < column; passed++) at = endOfField(batch.bytes, at);
      rowBounds.set([at, endOfField(batch.bytes, at)], 2 * row);
    }
    return { ...batch, rowBounds };
  });
  return { columns: [columns[column]!], batches: narrowed };
}

/** A field begins with its length, negative for NULL. */
function endOfField(bytes: Buffer, at: number): number {
  return at + 4 + Math.max(0, bytes.readInt32BE(at));
}

/** All rows of a model, as the pipeline would get them. */
export async function readModel(url: string, sql: string): Promise<ModelRows> {
  const source = new PostgresSource({
    name: 'test',
    modelName: 'test',
    address: addressOf(url),
    sql,
    applicationName: 'sluice conformance',
    connectTimeoutMs: 10_000,
    inactivityTimeoutMs: 60_000,
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 10_000,
    rowSecurity: 'refuse',
    fetchSize: 0,
  });
  try {
    const { columns } = await source.describe();
    const batches: RowBatch[] = [];
    for await (const batch of source.read(columns)) batches.push(batch);
    await source.finish();
    return { columns, batches };
  } finally {
    await source.close();
  }
}
