/**
 * DuckDB, one thread, from a CSV file on disk to a Parquet file on disk: no database to
 * wait for and no upload.
 *   duckdb-parquet.ts --csv FILE --out FILE [--compression snappy]
 */
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';

const { values } = parseArgs({
  options: {
    csv: { type: 'string' },
    out: { type: 'string' },
    compression: { type: 'string', default: 'snappy' },
  },
});
if (values.csv === undefined || values.out === undefined) throw new TypeError('--csv and --out are needed');
const quoted = (path: string): string => `'${path.replaceAll("'", "''")}'`;
const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
await connection.run(
  `copy (from read_csv(${quoted(values.csv)})) to ${quoted(values.out)} (format parquet, compression ${values.compression})`,
);
