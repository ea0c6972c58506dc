/** PostgreSQL's own CSV, as the oracle: another writer of the same file. */
import type { EventEmitter } from 'node:events';
import type pg from 'pg';
import type { Column } from '../../src/row-batch.ts';

/**
 * Receives `COPY … TO STDOUT` over the driver's connection; the driver itself lets the
 * data pass by.
 */
export async function copyOut(client: pg.Client, statement: string): Promise<Buffer> {
  const { connection } = client as unknown as { readonly connection: EventEmitter };
  const chunks: Buffer[] = [];
  // Copies: the driver's parser reuses its buffer.
  const onCopyData = ({ chunk }: { chunk: Buffer }): number => chunks.push(Buffer.from(chunk));
  connection.on('copyData', onCopyData);
  try {
    await client.query(statement);
  } finally {
    connection.off('copyData', onCopyData);
  }
  return Buffer.concat(chunks);
}

/** The model as CSV of the default options, header included. */
export async function copyModel(
  client: pg.Client,
  model: string,
  columns: readonly Column[],
): Promise<Buffer> {
  await client.query(`
    set client_encoding = 'UTF8'; set datestyle = 'ISO, YMD'; set timezone = 'UTC';
    set intervalstyle = 'postgres'; set extra_float_digits = 3; set bytea_output = 'hex'`);
  const fields = columns.map(({ name, sourceType }) => {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    return `${asWritten(quoted, sourceType)} as ${quoted}`;
  });
  return copyOut(
    client,
    `copy (select ${fields.join(', ')} from (${model}) as model) to stdout (format csv, header)`,
  );
}

/** The text that the default options ask for, in SQL, where COPY writes another. */
export function asWritten(field: string, sourceType: string): string {
  if (sourceType === 'boolean') return `${field}::text`;
  const [, zone] = /^timestamp(?:\(\d\))? (with|without) time zone$/.exec(sourceType) ?? [];
  if (zone === undefined) return field;
  const local = `regexp_replace(${field}::text, ' ', 'T')`;
  return zone === 'with' ? `regexp_replace(${local}, '\\+00', 'Z')` : local;
}
