/**
 * Measures Sluice beside `psql \copy` and writes bench/results/.
 *
 *   npm run bench -- [--rows 5000000] [--rounds 5] [--only csv,delta_1] [--url postgresql://…] [--memory] [--peers]
 *
 * Every case is the command as a user runs it, a process from start to end. In each round
 * the yardstick and all cases take their turn, and a case's ratio is taken within the
 * round, so that a machine whose speed drifts does not decide. Before the rounds each
 * output is checked against the database.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPrivatePostgres } from '../test/support/postgres.ts';
import { type BenchCase, CASES } from './cases.ts';
import { type DiscardServer, startDiscardServer } from './support/discard-server.ts';
import { startEmulator } from './support/emulator.ts';
import { FILE_ROWS } from './support/file-rows.ts';
import { type Measurement, measureSuccess } from './support/measure.ts';
import { measurePeers } from './support/peers.ts';
import { type Figures, mib, perSecond, writeReport } from './support/report.ts';
import { spread } from './support/statistics.ts';
import { generatedRows, makeTables, showVariant, type Variant } from './support/tables.ts';
import { type Verification, verifyCsv, verifyRows } from './support/verify.ts';

const SLUICE = fileURLToPath(new URL('../dist/bin/sluice.js', import.meta.url));
const PSQL_COPY = fileURLToPath(new URL('./peers/psql-copy.sh', import.meta.url));
const CHANGED_VARIANT = { 0: 'customers', 0.01: 'customers_1', 0.2: 'customers_20' } as const;

const { values: args } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    url: { type: 'string' },
    memory: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
  },
});
const rows = Number(args.rows);
const rounds = Number(args.rounds);
const only = args.only?.split(',');
const cases = CASES.filter(({ name }) => only === undefined || only.includes(name));

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const configPath = join(folder, 'sluice.yaml');
const releases: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  await main();
} finally {
  for (const release of releases.reverse()) await release();
}

async function main(): Promise<void> {
  const url = args.url ?? (await startServer());
  say(`making tables of ${rows} rows`);
  await makeTables(url, rows);
  for (const { name } of cases) await showVariant(url, `bench_${name}`, 'customers');

  await verifyOutputs(url);
  const discard = await startDiscardServer();
  releases.push(() => discard.stop());
  writeConfig(url, discard.accountUrl);
  for (const { name, changed } of cases) {
    if (changed === undefined) continue;
    say(`first run of ${name}`);
    await sluice(name);
  }

  const psql: number[] = [];
  const seen = new Map<string, { ratios: number[]; speeds: number[]; peaks: number[] }>();
  for (let round = 1; round <= rounds; round++) {
    const yardstick = await measureSuccess('sh', [PSQL_COPY, '--url', url]);
    psql.push(rows / (yardstick.wallMs / 1000));
    say(`round ${round}: psql \\copy ${perSecond(psql.at(-1)!)}`);
    for (const bench of cases) {
      const { wallMs, peakRssBytes } = await runCase(url, bench, round, discard);
      const speed = rows / (wallMs / 1000);
      const figures = seen.get(bench.name) ?? { ratios: [], speeds: [], peaks: [] };
      seen.set(bench.name, figures);
      figures.ratios.push(speed / psql.at(-1)!);
      figures.speeds.push(speed);
      figures.peaks.push(peakRssBytes);
      say(
        `  ${bench.name} ${perSecond(speed)}, ratio ${figures.ratios.at(-1)!.toFixed(2)}, peak ${mib(peakRssBytes)}`,
      );
    }
  }
  const results = new Map<string, Figures>();
  for (const [name, { ratios, speeds, peaks }] of seen) {
    results.set(name, {
      ratio: spread(ratios),
      rowsPerSecond: spread(speeds),
      peakRssBytes: Math.max(...peaks),
    });
  }
  const memory = args.memory ? await memoryOfLongRuns(url, discard) : undefined;
  const peers = args.peers
    ? await measurePeers({
        databaseUrl: url,
        rows,
        rounds: Math.min(rounds, 3),
        containerUrl: `${discard.accountUrl}/bench?sig=none`,
        folder,
        say,
      })
    : undefined;
  process.stdout.write(writeReport({ rows, rounds, psql: spread(psql), cases, results, memory, peers }));
}

async function startServer(): Promise<string> {
  say('starting PostgreSQL');
  const server = await startPrivatePostgres({
    settings: { jit: 'off', shared_buffers: '2GB', max_wal_size: '8GB' },
  });
  releases.push(() => server.dispose());
  return server.url;
}

/**
 * Exports each case once into a server that keeps what it gets, and compares with the
 * database.
 */
async function verifyOutputs(url: string): Promise<void> {
  const keeping = await startDiscardServer({ keep: true });
  try {
    writeConfig(url, keeping.accountUrl);
    for (const bench of cases.filter(({ destination }) => destination === 'discard')) {
      const { name, changed } = bench;
      const expect = async (query: string): Promise<void> => {
        const { ok, expected, actual } = await compare(bench, url, query, `${keeping.accountUrl}/bench`);
        if (!ok)
          throw new Error(`${name}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(actual)}`);
        say(`verified ${name}: ${actual.rows} rows, with the checksum of the database's`);
      };
      await sluice(name);
      await expect('select * from customers');
      if (changed !== undefined) {
        await showVariant(url, `bench_${name}`, CHANGED_VARIANT[changed]);
        await sluice(name);
        await expect(
          `select * from ${CHANGED_VARIANT[changed]} where id % ${changed === 0.2 ? 5 : 100} = 0 and ${changed} > 0`,
        );
        await showVariant(url, `bench_${name}`, 'customers');
      }
      await keeping.reset();
    }
  } finally {
    await keeping.stop();
    rmSync(join(folder, 'data'), { recursive: true, force: true });
  }
}

/** Holds the rows of a file against those of the query. */
function compare(
  { name, format }: BenchCase,
  databaseUrl: string,
  query: string,
  containerUrl: string,
): Promise<Verification> {
  const booleans = ['true', 'false'] as const;
  const asked = { databaseUrl, query, booleans, timestamps: 'iso8601' } as const;
  const file = `${containerUrl}/${name}`;
  switch (format['type']) {
    case 'csv':
      return verifyCsv({ ...asked, files: [`${file}.csv`], dialect: { header: true } });
    case 'json': {
      const extension = format['layout'] === 'lines' ? 'ndjson' : 'json';
      return verifyRows({ ...asked, rows: FILE_ROWS[extension](`${file}.${extension}`) });
    }
    case 'xml':
      return verifyRows({ ...asked, rows: FILE_ROWS.xml(`${file}.xml`) });
    default:
      return verifyRows({ ...asked, timestamps: 'postgres', rows: FILE_ROWS.parquet(`${file}.parquet`) });
  }
}

async function runCase(
  url: string,
  bench: BenchCase,
  round: number,
  discard: DiscardServer,
): Promise<Measurement> {
  const { name, changed, destination } = bench;
  if (changed) {
    const variant: Variant = round % 2 === 1 ? CHANGED_VARIANT[changed] : 'customers';
    await showVariant(url, `bench_${name}`, variant);
  }
  if (destination === 'discard') return sluice(name);
  // The emulator keeps all that it was ever sent: a new one each time, so that its own
  // growth is not measured.
  const emulator = await startEmulator();
  try {
    writeConfig(url, discard.accountUrl, emulator.connectionString);
    return await sluice(name);
  } finally {
    await emulator.stop();
  }
}

function writeConfig(url: string, discardUrl: string, emulator = 'UseDevelopmentStorage=true'): void {
  const destinations = {
    discard: {
      type: 'azure-blob',
      accountUrl: discardUrl,
      container: 'bench',
      auth: { sasToken: 'sv=2024-11-04&sp=racwdl&sig=bench' },
    },
    emulator: { type: 'azure-blob', container: 'bench', auth: { connectionString: emulator } },
  };
  const models: Record<string, unknown> = {
    generated_5m: { source: 'db', sql: generatedRows(5_000_000), primaryKey: ['id'] },
    generated_50m: { source: 'db', sql: generatedRows(50_000_000), primaryKey: ['id'] },
  };
  const activations: Record<string, unknown> = {};
  for (const { name, destination, format, changed } of cases) {
    models[name] = { source: 'db', sql: `select * from bench_${name}`, primaryKey: ['id'] };
    const delta = changed === undefined ? {} : { runType: 'full_then_delta', syncMode: 'upsert' };
    activations[name] = { model: name, destination, fileName: name, format, ...delta };
  }
  for (const model of ['generated_5m', 'generated_50m']) {
    activations[model] = { model, destination: 'discard', fileName: model, format: { type: 'csv' } };
  }
  const sources = { db: { type: 'postgres', url } };
  const config = {
    version: 1,
    dataDirectory: join(folder, 'data'),
    sources,
    destinations,
    models,
    activations,
  };
  writeFileSync(configPath, JSON.stringify(config));
}

function sluice(activation: string): Promise<Measurement> {
  return measureSuccess(process.execPath, [SLUICE, '--config', configPath, 'run', activation, '--json']);
}

/**
 * Peak resident memory of full exports of 5 and 50 million rows that the database makes
 * up as it sends them.
 */
async function memoryOfLongRuns(url: string, discard: DiscardServer): Promise<[number, number]> {
  writeConfig(url, discard.accountUrl);
  const peaks: number[] = [];
  for (const name of ['generated_5m', 'generated_50m']) {
    say(`memory of ${name}`);
    peaks.push((await sluice(name)).peakRssBytes);
  }
  return peaks as [number, number];
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
