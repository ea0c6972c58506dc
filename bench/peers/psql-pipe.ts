/**
 * `psql \\copy … to stdout csv`, piped into a program of the shell that writes a file.
 *   psql-pipe.ts --into 'gzip -1' --url postgresql://… --rows N --out FILE
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    into: { type: 'string', default: '' },
    url: { type: 'string', default: '' },
    rows: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
  },
});
/** `--into duckdb`: DuckDB's package, one thread. */
const DUCKDB = `"$NODE" --import tsx "$DUCKDB" --csv /dev/stdin --out "$OUT"`;
const into = values.into === 'duckdb' ? DUCKDB : `${values.into} > "$OUT"`;
const { status } = spawnSync(
  'bash',
  ['-c', `set -o pipefail; psql -X -q -v ON_ERROR_STOP=1 -d "$URL" -c "$COPY" | ${into}`],
  {
    env: {
      ...process.env,
      URL: values.url,
      COPY: `\\copy (select * from customers where id <= ${Number(values.rows)}) to stdout csv header`,
      OUT: values.out,
      NODE: process.execPath,
      DUCKDB: fileURLToPath(new URL('duckdb-parquet.ts', import.meta.url)),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  },
);
process.exitCode = status ?? 1;
