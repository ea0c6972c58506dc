import type { Column, RowBatch } from '../../src/row-batch.ts';
import { PostgresSource } from '../../src/sources/postgres/postgres-source.ts';
import { addressOf } from '../support/postgres-address.ts';

export interface ModelRows {
  readonly columns: readonly Column[];
  readonly batches: readonly RowBatch[];
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
