import { parquetMetadata, parquetSchema } from 'hyparquet';

/**
 * What a Parquet file says of itself to another reader than Sluice: its columns with
 * their types, and its rows.
 */
export function parquetLines(file: Buffer): string[] {
  const bytes = new ArrayBuffer(file.length);
  new Uint8Array(bytes).set(file);
  const metadata = parquetMetadata(bytes);
  const columns = parquetSchema(metadata).children.map(({ element }) => element);
  const width = Math.max(...columns.map(({ name }) => name.length));
  return [
    `${metadata.num_rows} rows in ${metadata.row_groups.length} row group, as hyparquet reads it:`,
    ...columns.map(({ name, type, logical_type }) => {
      const logical = logical_type === undefined ? '' : ` ${describeLogical(logical_type)}`;
      return `${name.padEnd(width)}  ${type}${logical}`;
    }),
  ];
}

function describeLogical(logical: object): string {
  const { type, ...details } = logical as { readonly type: string };
  const shown = Object.entries(details).map(([name, value]) => `${name} ${value}`);
  return shown.length === 0 ? type : `${type} (${shown.join(', ')})`;
}
