/**
 * Measures Sluice beside `psql \copy` and writes bench/results/.
 *
 *   npm run bench -- [--rows 5000000] [--rounds 5] [--only csv,delta_1] [--url postgresql://…] [--memory] [--peers]
 *
 * Every case is the command as a user runs it, a process from start to end. In each round the yardstick and all cases take
 * their turn, and a case's ratio is taken within the round, so that a machine whose speed drifts does not decide. Before
 * the rounds each output is checked against the database.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPrivatePostgres } from '../test/support/postgres.ts';
import { type BenchCase, CASES } from './cases.ts';
import { barPlot } from './support/bar-plot.ts';
import { type DiscardServer, startDiscardServer } from './support/discard-server.ts';
import { startEmulator } from './support/emulator.ts';
import { markdownTable } from './support/markdown-table.ts';
import { type Measurement, measure } from './support/measure.ts';
import { writeResult } from './support/results.ts';
import { type Spread, spread } from './support/statistics.ts';
import { generatedRows, makeTables, showVariant, type Variant } from './support/tables.ts';
import { verifyCsv } from './support/verify.ts';

const SLUICE = fileURLToPath(new URL('../dist/cli/sluice.js', import.meta.url));
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

interface Figures {
  readonly ratio: Spread;
  readonly rowsPerSecond: Spread;
  readonly peakRssBytes: number;
}

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
    const yardstick = await succeeded(measure('sh', [PSQL_COPY, '--url', url]));
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
  const peers = args.peers ? await measurePeers(url, discard) : undefined;
  report(spread(psql), results, memory, peers);
}

async function startServer(): Promise<string> {
  say('starting PostgreSQL');
  const server = await startPrivatePostgres({
    settings: { jit: 'off', shared_buffers: '2GB', max_wal_size: '8GB' },
  });
  releases.push(() => server.dispose());
  return server.url;
}

/** Exports each case once into a server that keeps what it gets, and compares with the database. */
async function verifyOutputs(url: string): Promise<void> {
  const keeping = await startDiscardServer({ keep: true });
  try {
    writeConfig(url, keeping.accountUrl);
    const isVerifiable = ({ format, destination }: BenchCase): boolean =>
      format['type'] === 'csv' && destination === 'discard';
    for (const bench of cases.filter(isVerifiable)) {
      const expect = async (query: string): Promise<void> => {
        const { ok, expected, actual } = await verifyCsv({
          databaseUrl: url,
          query,
          files: [`${keeping.accountUrl}/bench/${bench.name}.csv`],
          dialect: { header: true },
          booleans: ['true', 'false'],
          timestamps: 'iso8601',
        });
        if (!ok)
          throw new Error(
            `${bench.name}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(actual)}`,
          );
        say(`verified ${bench.name}: ${actual.rows} rows, with the checksum of the database's`);
      };
      await sluice(bench.name);
      await expect('select * from customers');
      if (bench.changed === undefined) continue;
      await showVariant(url, `bench_${bench.name}`, CHANGED_VARIANT[bench.changed]);
      await sluice(bench.name);
      await expect(
        `select * from ${CHANGED_VARIANT[bench.changed]} where id % ${bench.changed === 0.2 ? 5 : 100} = 0 and ${bench.changed} > 0`,
      );
      await showVariant(url, `bench_${bench.name}`, 'customers');
    }
  } finally {
    await keeping.stop();
    rmSync(join(folder, 'data'), { recursive: true, force: true });
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
  // The emulator keeps all that it was ever sent: a new one each time, so that its own growth is not measured.
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
  return succeeded(measure(process.execPath, [SLUICE, '--config', configPath, 'run', activation, '--json']));
}

async function succeeded(measuring: Promise<Measurement>): Promise<Measurement> {
  const measurement = await measuring;
  if (measurement.exitCode === 0) return measurement;
  throw new Error(
    `exit code ${measurement.exitCode}: ${measurement.stderr}${measurement.stdout.slice(0, 2000)}`,
  );
}

/** Peak resident memory of full exports of 5 and 50 million rows that the database makes up as it sends them. */
async function memoryOfLongRuns(url: string, discard: DiscardServer): Promise<[number, number]> {
  writeConfig(url, discard.accountUrl);
  const peaks: number[] = [];
  for (const name of ['generated_5m', 'generated_50m']) {
    say(`memory of ${name}`);
    peaks.push((await sluice(name)).peakRssBytes);
  }
  return peaks as [number, number];
}

/** Rows per second of the programs that one would write instead, over a tenth of the rows. */
async function measurePeers(url: string, discard: DiscardServer): Promise<Map<string, number>> {
  const speeds = new Map<string, number>();
  const share = Math.ceil(rows / 10);
  for (const peer of ['psql-copy-upload', 'plain-chain-csv']) {
    say(`peer ${peer}`);
    const script = fileURLToPath(new URL(`./peers/${peer}.ts`, import.meta.url));
    const target = [
      '--url',
      url,
      '--rows',
      String(share),
      '--container-url',
      `${discard.accountUrl}/bench?sig=none`,
      '--blob',
      peer,
    ];
    const { wallMs } = await succeeded(measure(process.execPath, ['--import', 'tsx', script, ...target]));
    speeds.set(peer, share / (wallMs / 1000));
  }
  return speeds;
}

function report(
  psql: Spread,
  results: ReadonlyMap<string, Figures>,
  memory: [number, number] | undefined,
  peers: ReadonlyMap<string, number> | undefined,
): void {
  const table = markdownTable(
    [
      { title: 'case' },
      { title: 'ratio', align: 'right' },
      { title: 'bar', align: 'right' },
      { title: 'rows/s', align: 'right' },
      { title: 'peak memory', align: 'right' },
    ],
    [
      ['`psql \\copy` to /dev/null', '1.00', '', range(psql, perSecond), ''],
      ...cases.map(({ name, title, bar }) => {
        const { ratio, rowsPerSecond, peakRssBytes } = results.get(name)!;
        return [
          title,
          range(ratio, value => value.toFixed(2)),
          bar.toFixed(2),
          range(rowsPerSecond, perSecond),
          mib(peakRssBytes),
        ];
      }),
    ],
  );
  const { model } = cpus()[0]!;
  const machine = `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`;
  const lines = [
    '# Bench',
    '',
    `${rows} rows of 12 columns; median of ${rounds} rounds (lowest-highest); ratios within each round.`,
    `${machine}; server, destination and Sluice share the cores. ${new Date().toISOString().slice(0, 10)}.`,
    '',
    table,
    '',
  ];
  if (memory) {
    lines.push(
      `Peak resident memory of a full CSV export: ${mib(memory[0])} for 5 million rows, ${mib(memory[1])} for 50 million.`,
      '',
    );
  }
  for (const [peer, speed] of peers ?? []) lines.push(`- ${peer}: ${perSecond(speed)}`);
  const text = `${lines.join('\n').trimEnd()}\n`;
  writeResult('latest.md', text);
  writeResult(
    'latest.svg',
    barPlot({
      title: 'Rows per second, as a ratio to psql \\copy',
      subtitle: machine,
      unit: '',
      bars: cases.map(({ name, title, bar }) => ({
        label: title,
        value: results.get(name)!.ratio,
        goal: bar,
      })),
    }),
  );
  process.stdout.write(text);
}

function range({ median, min, max }: Spread, show: (value: number) => string): string {
  return `${show(median)} (${show(min)}-${show(max)})`;
}

function perSecond(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
