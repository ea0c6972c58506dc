/**
 * What is measured, as data: an activation each, what its source must look like, and the
 * ratio it has to reach.
 */

export interface BenchCase {
  /** Also the name of its activation. */
  readonly name: string;
  readonly title: string;
  /** Lowest ratio to `psql \copy`, of rows per second; absent where none is set. */
  readonly bar?: number;
  readonly destination: 'discard' | 'emulator';
  readonly format: Readonly<Record<string, unknown>>;
  /** Share of the rows that differ from one run to the next; absent for full exports. */
  readonly changed?: 0 | 0.01 | 0.2;
}

const delta = (changed: 0 | 0.01 | 0.2, title: string, bar: number): BenchCase => ({
  name: `delta_${changed * 100}`,
  title: `delta, ${title}`,
  bar,
  destination: 'discard',
  format: { type: 'csv' },
  changed,
});

export const CASES: readonly BenchCase[] = [
  { name: 'csv', title: 'full CSV', bar: 1.3, destination: 'discard', format: { type: 'csv' } },
  {
    name: 'csv_emulator',
    title: 'full CSV, emulator',
    bar: 0.7,
    destination: 'emulator',
    format: { type: 'csv' },
  },
  {
    name: 'csv_gzip',
    title: 'full CSV, gzip',
    destination: 'discard',
    format: { type: 'csv', compression: 'gzip' },
  },
  {
    name: 'csv_zstd',
    title: 'full CSV, zstd',
    destination: 'discard',
    format: { type: 'csv', compression: 'zstd' },
  },
  delta(0, 'nothing changed', 1.3),
  delta(0.01, '1 % changed', 1.2),
  delta(0.2, '20 % changed', 1),
  {
    name: 'ndjson',
    title: 'full NDJSON',
    bar: 1.2,
    destination: 'discard',
    format: { type: 'json', layout: 'lines' },
  },
  { name: 'json', title: 'full JSON', bar: 1.2, destination: 'discard', format: { type: 'json' } },
  { name: 'xml', title: 'full XML', bar: 1.05, destination: 'discard', format: { type: 'xml' } },
  {
    name: 'parquet',
    title: 'full Parquet, snappy',
    bar: 1,
    destination: 'discard',
    format: { type: 'parquet' },
  },
  {
    name: 'parquet_zstd',
    title: 'full Parquet, zstd',
    bar: 0.85,
    destination: 'discard',
    format: { type: 'parquet', compression: 'zstd' },
  },
];

/** A program that one would use instead, and how much faster than it a case has to be. */
export interface PeerCase {
  /** Also the name of its script in bench/peers/, unless that is said. */
  readonly name: string;
  readonly script?: string;
  /** What a script that writes a file is to write. */
  readonly options?: readonly string[];
  /** Without it the peer is left out. */
  readonly needs?: 'chdb' | 'pigz';
  readonly title: string;
  /** The case that does the same. */
  readonly against: string;
  /** Lowest ratio of rows per second, of the case to the peer. */
  readonly bar?: number;
  /**
   * Share of the rows that slow programs are measured with; at least `MIN_PEER_ROWS`
   * where there are as many.
   */
  readonly share: number;
}

/** So many that what it takes to start a process does not count. */
export const MIN_PEER_ROWS = 500_000;

const chain = (format: string, against: string, bar: number): PeerCase => ({
  name: `plain-chain-${against}`,
  title: `plain chain, ${format}`,
  against,
  bar,
  share: 0.1,
});

const clickhouse = (title: string, against: string, options: readonly string[], bar?: number): PeerCase => ({
  name: `chdb-${against}`,
  script: 'chdb',
  options,
  needs: 'chdb',
  title: `chdb, ${title} file`,
  against,
  ...(bar !== undefined && { bar }),
  share: 1,
});

const piped = (into: string, title: string, against: string): PeerCase => ({
  name: `psql-${into.replaceAll(' ', '')}`,
  script: 'psql-pipe',
  options: ['--into', into],
  ...(into.startsWith('pigz') && { needs: 'pigz' }),
  title: `\`psql \\copy | ${title}\``,
  against,
  share: 1,
});

export const PEERS: readonly PeerCase[] = [
  { name: 'psql-copy-upload', title: '`psql \\copy` into uploadStream, CSV', against: 'csv', share: 0.1 },
  chain('CSV', 'csv', 8),
  chain('JSON', 'json', 8),
  chain('XML', 'xml', 8),
  chain('Parquet', 'parquet', 12),
  { name: 'duckdb-parquet', title: 'DuckDB, CSV file to Parquet file', against: 'parquet', share: 1 },
  clickhouse('CSV', 'csv', ['--format', 'CSV']),
  clickhouse('Parquet snappy', 'parquet', ['--format', 'Parquet'], 2),
  clickhouse('Parquet zstd', 'parquet_zstd', ['--format', 'Parquet', '--compression', 'zstd'], 2),
  piped('duckdb', 'DuckDB to Parquet', 'parquet'),
  piped('gzip -1', 'gzip -1', 'csv_gzip'),
  piped('gzip', 'gzip', 'csv_gzip'),
  piped('pigz', 'pigz', 'csv_gzip'),
];
