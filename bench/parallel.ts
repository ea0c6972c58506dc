/**
 * What `parallel: N` brings: on a source beside it, where the processors are shared, and
 * on one each of whose connections brings little. Writes bench/results/parallel.md.
 *
 *   npm run build
 *   npx tsx bench/parallel.ts [--rows 1000000] [--rounds 3] [--url postgresql://…]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPrivatePostgres } from '../test/support/postgres.ts';
import { startDiscardServer } from './support/discard-server.ts';
import { markdownTable } from './support/markdown-table.ts';
import { type Measurement, measureSuccess } from './support/measure.ts';
import { mib, perSecond } from './support/report.ts';
import { writeResult } from './support/results.ts';
import { startSlowLines } from './support/slow-lines.ts';
import { spread } from './support/statistics.ts';
import { makeTables } from './support/tables.ts';

const SLUICE = fileURLToPath(new URL('../dist/bin/sluice.js', import.meta.url));
const PSQL_COPY = fileURLToPath(new URL('./peers/psql-copy.sh', import.meta.url));
const FORMATS = { csv: { type: 'csv' }, parquet: { type: 'parquet' } };
const BESIDE = [1, 2, 4];
const SLOW = [1, 2, 4, 8];
/** What each connection to the slow source brings. */
const SLOW_BYTES_PER_SECOND = 4_000_000;

const { values: args } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    url: { type: 'string' },
  },
});
const rows = Number(args.rows);
const folder = mkdtempSync(join(tmpdir(), 'sluice-parallel-'));
const configPath = join(folder, 'sluice.yaml');
const releases: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  await main();
} finally {
  for (const release of releases.reverse()) await release();
}

async function main(): Promise<void> {
  const url = args.url ?? (await startServer());
  await makeTables(url, rows);
  const discard = await startDiscardServer();
  releases.push(() => discard.stop());
  const lines = await startSlowLines(url, SLOW_BYTES_PER_SECOND);
  releases.push(() => lines.close());
  writeConfig({ db: url, slow: lines.url }, discard.accountUrl);

  const seen = new Map<string, Measurement[]>();
  const cases = [
    ...Object.keys(FORMATS).flatMap(format => BESIDE.map(readers => `db_${format}_${readers}`)),
    ...SLOW.map(readers => `slow_csv_${readers}`),
  ];
  const psql: number[] = [];
  for (let round = 1; round <= Number(args.rounds); round++) {
    psql.push((await measureSuccess('sh', [PSQL_COPY, '--url', url])).wallMs);
    for (const name of cases) {
      const measured = await measureSuccess(process.execPath, [SLUICE, '--config', configPath, 'run', name]);
      seen.set(name, [...(seen.get(name) ?? []), measured]);
      process.stderr.write(`${name} ${perSecond(speedOf(measured.wallMs))}\n`);
    }
  }
  const yardstick = spread(psql.map(speedOf)).median;
  const table = markdownTable(
    [
      { title: 'case' },
      ...['readers', 'rows/s', 'to psql', 'CPU s', 'peak memory'].map(title => ({
        title,
        align: 'right' as const,
      })),
    ],
    cases.map(name => {
      const [source, format, readers] = name.split('_') as [string, string, string];
      const found = seen.get(name)!;
      const speed = spread(found.map(({ wallMs }) => speedOf(wallMs))).median;
      const cpu = spread(found.map(({ userMs, systemMs }) => (userMs + systemMs) / 1000)).median;
      const where = source === 'db' ? 'beside the source' : 'slow connections';
      const peak = Math.max(...found.map(({ peakRssBytes }) => peakRssBytes));
      return [
        `${format}, ${where}`,
        readers,
        perSecond(speed),
        (speed / yardstick).toFixed(2),
        cpu.toFixed(1),
        mib(peak),
      ];
    }),
  );
  const text = `# Several readers

${rows} rows, ${args.rounds} rounds, medians; Node ${process.version}, ${availableParallelism()} processors shared with the server and the endpoint, ${new Date().toISOString().slice(0, 10)}.
\`psql \\copy\`: ${perSecond(yardstick)}. Slow connections bring ${SLOW_BYTES_PER_SECOND / 1e6} MB/s each.

${table}`;
  writeResult('parallel.md', text);
  process.stdout.write(text);
}

function speedOf(wallMs: number): number {
  return rows / (wallMs / 1000);
}

function writeConfig(urls: Readonly<Record<string, string>>, accountUrl: string): void {
  const auth = { sasToken: 'sv=2024-11-04&sp=racwdl&sig=bench' };
  const models: Record<string, unknown> = {};
  const activations: Record<string, unknown> = {};
  for (const source of Object.keys(urls)) {
    models[source] = { source, table: 'public.customers' };
    for (const [format, options] of Object.entries(FORMATS)) {
      for (const parallel of SLOW) {
        const name = `${source}_${format}_${parallel}`;
        activations[name] = {
          model: source,
          destination: 'discard',
          fileName: name,
          format: options,
          parallel,
        };
      }
    }
  }
  const config = {
    version: 1,
    dataDirectory: join(folder, 'data'),
    sources: Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, { type: 'postgres', url }])),
    destinations: { discard: { type: 'azure-blob', accountUrl, container: 'bench', auth } },
    models,
    activations,
  };
  writeFileSync(configPath, JSON.stringify(config));
}

async function startServer(): Promise<string> {
  const server = await startPrivatePostgres({
    settings: { jit: 'off', shared_buffers: '1GB', max_wal_size: '4GB' },
  });
  releases.push(() => server.dispose());
  return server.url;
}
