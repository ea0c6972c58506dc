/**
 * ClickHouse within Node reads the table by itself and writes a file: no upload, no
 * checksum.
 *   chdb.ts --format CSV|Parquet [--compression snappy|zstd] --url postgresql://… --rows N --out FILE
 */
import { parseArgs } from 'node:util';
import { CHDB, installed } from '../support/on-demand.ts';

const { values } = parseArgs({
  options: {
    format: { type: 'string', default: 'CSV' },
    compression: { type: 'string', default: 'snappy' },
    url: { type: 'string', default: '' },
    rows: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
  },
});
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const { hostname, port, pathname, username, password } = new URL(values.url);
const table = [`${hostname}:${port || '5432'}`, pathname.slice(1), 'customers', username, password]
  .map(part => quoted(decodeURIComponent(part)))
  .join(', ');
const { query } = installed(CHDB)('chdb') as { query(sql: string): string };
query(
  `insert into function file(${quoted(values.out)}, ${quoted(values.format)})
   select * from postgresql(${table}) where id <= ${Number(values.rows)}
   settings output_format_parquet_compression_method = ${quoted(values.compression)}, engine_file_truncate_on_insert = 1`,
);
