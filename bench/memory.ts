/**
 * Peak resident memory of `sluice run`, whole process, by format and by width of the
 * rows, which the database makes up as it sends them; written to bench/results/memory.md.
 *
 *   npm run build && npx tsx bench/memory.ts [--url postgresql://…]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPrivatePostgres } from '../test/support/postgres.ts';
import { startDiscardServer } from './support/discard-server.ts';
import { markdownTable } from './support/markdown-table.ts';
import { measureSuccess } from './support/measure.ts';
import { mib } from './support/report.ts';
import { writeResult } from './support/results.ts';
import { generatedRows } from './support/tables.ts';

const SLUICE = fileURLToPath(new URL('../dist/bin/sluice.js', import.meta.url));

/** A text of so many kB that hardly compresses, and is another one in every row. */
const wide = (rows: number, kilobytes: number): string =>
  `select n as id, (select string_agg(md5((n * 65536 + i)::text), '') from generate_series(1, ${kilobytes * 32}) as i) as text
     from generate_series(1::bigint, ${rows}) as n`;

const WIDTHS: Readonly<Record<string, string>> = {
  '1,000,000 rows of 150 B': generatedRows(1_000_000),
  '20,000 rows of 16 KiB': wide(20_000, 16),
  '200 rows of 1 MiB': wide(200, 1024),
  '8 rows of 16 MiB': wide(8, 16_384),
};
const FORMATS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  CSV: { type: 'csv' },
  'CSV, gzip': { type: 'csv', compression: 'gzip', level: 1 },
  JSON: { type: 'json' },
  XML: { type: 'xml' },
  'Parquet, snappy': { type: 'parquet' },
  'Parquet, zstd': { type: 'parquet', compression: 'zstd' },
  'Parquet, rowGroupRows 10,000': { type: 'parquet', rowGroupRows: 10_000 },
  'Parquet, rowGroupRows 1,000,000': { type: 'parquet', rowGroupRows: 1_000_000 },
};

const { values: args } = parseArgs({ options: { url: { type: 'string' } } });
const folder = mkdtempSync(join(tmpdir(), 'sluice-memory-'));
const configPath = join(folder, 'sluice.yaml');
const releases: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  const url = args.url ?? (await startServer());
  const discard = await startDiscardServer();
  releases.push(() => discard.stop());
  const rows: string[][] = [];
  for (const [name, format] of Object.entries(FORMATS)) {
    const peaks: string[] = [];
    for (const sql of Object.values(WIDTHS))
      peaks.push(mib(await peakOf(url, discard.accountUrl, sql, format)));
    process.stderr.write(`${name}: ${peaks.join(', ')}\n`);
    rows.push([name, ...peaks]);
  }
  const titles = Object.keys(WIDTHS).map(title => ({ title, align: 'right' as const }));
  const table = markdownTable([{ title: 'peak resident memory' }, ...titles], rows);
  const text = `# Memory\n\nWhole process of a full export to a discarding endpoint. Node ${process.version}, ${new Date().toISOString().slice(0, 10)}.\n\n${table}`;
  writeResult('memory.md', text);
  process.stdout.write(text);
} finally {
  for (const release of releases.reverse()) await release();
}

async function startServer(): Promise<string> {
  const server = await startPrivatePostgres({ settings: { jit: 'off' } });
  releases.push(() => server.dispose());
  return server.url;
}

async function peakOf(
  url: string,
  accountUrl: string,
  sql: string,
  format: Readonly<Record<string, unknown>>,
): Promise<number> {
  const auth = { sasToken: 'sv=2024-11-04&sp=racwdl&sig=bench' };
  const config = {
    version: 1,
    dataDirectory: join(folder, 'data'),
    sources: { db: { type: 'postgres', url } },
    destinations: { discard: { type: 'azure-blob', accountUrl, container: 'bench', auth } },
    models: { m: { source: 'db', sql } },
    activations: { memory: { model: 'm', destination: 'discard', fileName: 'memory', format } },
  };
  writeFileSync(configPath, JSON.stringify(config));
  const command = [SLUICE, '--config', configPath, 'run', 'memory', '--json'];
  return (await measureSuccess(process.execPath, command)).peakRssBytes;
}
