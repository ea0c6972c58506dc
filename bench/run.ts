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
import { FILE_COMPRESSIONS } from '../src/config/format-kinds.ts';
import { startPrivatePostgres } from '../test/support/postgres.ts';
import { type BenchCase, CASES } from './cases.ts';
import { type DiscardServer, startDiscardServer } from './support/discard-server.ts';
import { startEmulator } from './support/emulator.ts';
import { FILE_ROWS } from './support/file-rows.ts';
import { type Measurement, measureSuccess } from './support/measure.ts';
import { measurePeers } from './support/peers.ts';
import { type Figures, mib, perSecond, type RowCpu, writeReport } from './support/report.ts';
import { type ServerCpu, watchServerCpu } from './support/server-cpu.ts';
import { spread } from './support/statistics.ts';
import { generatedRows, makeTables, showVariant, type Variant } from './support/tables.ts';
import { type Verification, verifyCsv, verifyRows } from './support/verify.ts';

const SLUICE = fileURLToPath(new URL('../dist/bin/sluice.js', import.meta.url));
const PSQL_COPY = fileURLToPath(new URL('./peers/psql-copy.sh', import.meta.url));
const ENDINGS: Readonly<Record<string, string>> = FILE_COMPRESSIONS;
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

  const server = await watchServerCpu(url);
  releases.push(() => server.stop());
  const psql: Seen[] = [];
  const seen = new Map<string, Seen[]>();
  for (let round = 1; round <= rounds; round++) {
    const yardstick = await withCpu({ server, discard }, () =>
      measureSuccess('sh', [PSQL_COPY, '--url', url]),
    );
    psql.push(yardstick);
    say(`round ${round}: psql \\copy ${perSecond(yardstick.speed)}`);
    for (const bench of cases) {
      const took = await withCpu({ server, discard }, () => runCase(url, bench, round, discard));
      seen.set(bench.name, [...(seen.get(bench.name) ?? []), took]);
      const { speed, client, peakRssBytes } = took;
      const ratio = (speed / yardstick.speed).toFixed(2);
      say(
        `  ${bench.name} ${perSecond(speed)}, ratio ${ratio}, CPU ${client.toFixed(2)} µs, peak ${mib(peakRssBytes)}`,
      );
    }
  }
  const results = new Map<string, Figures>();
  for (const [name, took] of seen) {
    results.set(name, {
      ratio: spread(took.map(({ speed }, round) => speed / psql[round]!.speed)),
      rowsPerSecond: spread(took.map(({ speed }) => speed)),
      peakRssBytes: Math.max(...took.map(({ peakRssBytes }) => peakRssBytes)),
      cpu: rowCpu(took),
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
  process.stdout.write(
    writeReport({
      rows,
      rounds,
      psql: spread(psql.map(({ speed }) => speed)),
      psqlCpu: rowCpu(psql),
      cases,
      results,
      memory,
      peers,
    }),
  );
}

interface Seen {
  /** Rows per second. */
  readonly speed: number;
  readonly peakRssBytes: number;
  /** CPU for each row, in µs. */
  readonly client: number;
  readonly server: number;
  readonly endpoint: number;
}

async function withCpu(
  { server, discard }: { readonly server: ServerCpu; readonly discard: DiscardServer },
  act: () => Promise<Measurement>,
): Promise<Seen> {
  const endpointMs = async (): Promise<number> => {
    const { userMs, systemMs } = await discard.counts();
    return userMs + systemMs;
  };
  const before = [await server.endedMs(), await endpointMs()] as const;
  const { wallMs, peakRssBytes, userMs, systemMs } = await act();
  const [serverMs, receivedMs] = [await server.endedMs(), await endpointMs()];
  const perRow = (ms: number): number => (ms * 1000) / rows;
  return {
    speed: rows / (wallMs / 1000),
    peakRssBytes,
    client: perRow(userMs + systemMs),
    server: perRow(serverMs - before[0]),
    endpoint: perRow(receivedMs - before[1]),
  };
}

function rowCpu(took: readonly Seen[]): RowCpu {
  return {
    client: spread(took.map(({ client }) => client)),
    server: spread(took.map(({ server }) => server)),
    endpoint: spread(took.map(({ endpoint }) => endpoint)),
  };
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
      return verifyCsv({
        ...asked,
        files: [`${file}.csv${ENDINGS[String(format['compression'])] ?? ''}`],
        dialect: { header: true },
      });
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
