/**
 * A delta of a table of which nothing, 1 % and 20 % was written, with and without rows
 * that were removed: by `changeDetection: xmin`, by comparing all rows, and beside `psql
 * \copy` of the table, in the same round. Writes bench/results/changes.md.
 *
 *   npm run build && npx tsx bench/changes.ts [--rows 2000000] [--rounds 5] [--only unchanged,updated_1]
 *     [--url postgresql://… --folder DIR]
 *
 * With `--url` (a server on this machine) and `--folder` a later call goes on from where
 * the one before it was, and adds its rounds to those.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPrivatePostgres } from '../test/support/postgres.ts';
import { startDiscardServer } from './support/discard-server.ts';
import { markdownTable } from './support/markdown-table.ts';
import { measureSuccess } from './support/measure.ts';
import { writeResult } from './support/results.ts';
import { watchServerCpu } from './support/server-cpu.ts';
import { spread } from './support/statistics.ts';
import { generatedRows, makeTable } from './support/tables.ts';

const { values: args } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    url: { type: 'string' },
    folder: { type: 'string' },
  },
});
const rows = Number(args.rows);
const only = args.only?.split(',');

interface Case {
  readonly name: string;
  readonly title: string;
  /** Shares of the rows. */
  readonly updated: number;
  readonly removed: number;
  /** Lowest ratio of xmin to `psql \copy`. */
  readonly bar?: number;
}

const CASES: readonly Case[] = [
  { name: 'unchanged', title: 'nothing changed', updated: 0, removed: 0, bar: 5 },
  { name: 'removed_1', title: '1 % removed', updated: 0, removed: 0.01 },
  { name: 'updated_1', title: '1 % changed', updated: 0.01, removed: 0, bar: 5 },
  { name: 'both_1', title: '1 % changed, 0.1 % removed', updated: 0.01, removed: 0.001 },
  { name: 'updated_20', title: '20 % changed', updated: 0.2, removed: 0, bar: 2.5 },
  { name: 'both_20', title: '20 % changed, 1 % removed', updated: 0.2, removed: 0.01 },
];

interface Took {
  readonly wallMs: number;
  /** CPU of the command. */
  readonly clientMs: number;
  /** CPU of the server's sessions. */
  readonly serverMs: number;
  /** CPU of the endpoint that takes the files. */
  readonly endpointMs: number;
}
type Round = Readonly<Record<'psql' | 'full' | 'xmin', Took>>;

const SLUICE = fileURLToPath(new URL('../dist/bin/sluice.js', import.meta.url));
const PSQL_COPY = fileURLToPath(new URL('./peers/psql-copy.sh', import.meta.url));

const folder = args.folder ?? mkdtempSync(join(tmpdir(), 'sluice-bench-'));
mkdirSync(folder, { recursive: true });
const configPath = join(folder, 'sluice.yaml');
const roundsPath = join(folder, 'rounds.json');
const rounds: Record<string, Round[]> = existsSync(roundsPath)
  ? JSON.parse(readFileSync(roundsPath, 'utf8'))
  : {};
const server =
  args.url === undefined
    ? await startPrivatePostgres({ settings: { jit: 'off', shared_buffers: '2GB', max_wal_size: '8GB' } })
    : undefined;
const url = args.url ?? server!.url;
const discard = await startDiscardServer();
const client = new pg.Client({ connectionString: url });
await client.connect();
const serverCpu = await watchServerCpu(url);
try {
  await makeTable(url, 'customers', generatedRows(rows), rows);
  writeConfig();
  await bringUpToDate();
  for (let round = 1; round <= Number(args.rounds); round++) {
    for (const each of CASES) {
      if (only !== undefined && !only.includes(each.name)) continue;
      const took = await play(each);
      rounds[each.name] = [...(rounds[each.name] ?? []), took];
      writeFileSync(roundsPath, JSON.stringify(rounds));
      process.stderr.write(
        `${each.title.padEnd(28)} psql ${shown(took.psql)}  full ${shown(took.full)}  xmin ${shown(took.xmin)}\n`,
      );
    }
  }
  if (Object.keys(rounds).length > 0) await report();
} finally {
  await serverCpu.stop();
  await client.end();
  await discard.stop();
  await server?.dispose();
  if (args.folder === undefined) rmSync(folder, { recursive: true, force: true });
}

/** Writes so many rows, spread over the table, and takes others away until the end. */
async function play({ name, updated, removed }: Case): Promise<Round> {
  const round = rounds[name]?.length ?? 0;
  if (updated > 0) {
    const every = Math.round(1 / updated);
    await client.query(`update customers set age = age + 1 where id % ${every} = ${round % every}`);
  }
  if (removed > 0) {
    const every = Math.round(1 / removed);
    await client.query(`delete from customers where id % ${every} = ${round % every}`);
  }
  await client.query('vacuum customers');
  await client.query('checkpoint');
  const psql = await measured('sh', [PSQL_COPY, '--url', url]);
  const [full, xmin] = [await run('full'), await run('xmin')];
  if (removed > 0) {
    await client.query(
      `insert into customers select * from (${generatedRows(rows)}) made where id not in (select id from customers)`,
    );
    await client.query('vacuum customers');
    await bringUpToDate();
  }
  return { psql, full, xmin };
}

async function bringUpToDate(): Promise<void> {
  for (const activation of ['full', 'xmin']) await run(activation);
}

function run(activation: string): Promise<Took> {
  return measured(process.execPath, [SLUICE, '--config', configPath, 'run', activation, '--json']);
}

async function measured(command: string, parts: readonly string[]): Promise<Took> {
  const before = [await serverCpu.endedMs(), await endpointMs()] as const;
  const { wallMs, userMs, systemMs } = await measureSuccess(command, parts);
  return {
    wallMs,
    clientMs: userMs + systemMs,
    serverMs: (await serverCpu.endedMs()) - before[0],
    endpointMs: (await endpointMs()) - before[1],
  };
}

async function endpointMs(): Promise<number> {
  const { userMs, systemMs } = await discard.counts();
  return userMs + systemMs;
}

function shown({ wallMs, clientMs, serverMs }: Took): string {
  const seconds = [wallMs, clientMs, serverMs].map(ms => (ms / 1000).toFixed(2));
  return `${seconds[0]} s (CPU ${seconds[1]} + ${seconds[2]})`;
}

async function report(): Promise<void> {
  const { rows: versions } = await client.query('show server_version');
  const right = (title: string) => ({ title, align: 'right' as const });
  const table = markdownTable(
    [
      { title: 'delta' },
      right('rounds'),
      { title: 'how' },
      right('seconds'),
      right('to psql'),
      right('bar'),
      right('client CPU s'),
      right('server CPU s'),
      right('endpoint CPU s'),
    ],
    CASES.flatMap(({ name, title, bar }) => {
      const found = rounds[name] ?? [];
      if (found.length === 0) return [];
      return (['psql', 'full', 'xmin'] as const).map((how, index) => [
        index === 0 ? title : '',
        index === 0 ? String(found.length) : '',
        { psql: '`psql \\copy`', full: 'all rows', xmin: '`xmin`' }[how],
        ranged(found.map(round => round[how].wallMs / 1000)),
        ranged(found.map(round => round.psql.wallMs / round[how].wallMs)),
        how === 'xmin' && bar !== undefined ? bar.toFixed(1) : '',
        ranged(found.map(round => round[how].clientMs / 1000)),
        ranged(found.map(round => round[how].serverMs / 1000)),
        ranged(found.map(round => round[how].endpointMs / 1000)),
      ]);
    }),
  );
  const text = `# Deltas that read what was written

${rows} rows of 12 columns, CSV, \`syncMode: difference\`; medians (lowest-highest), ratios within each round.
${availableParallelism()} × ${cpus()[0]?.model}, which server, endpoint and command share; PostgreSQL ${versions[0].server_version}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}.
CPU of the server is that of its sessions, CPU of the client that of \`psql\` or \`sluice run\` from start to end.

${table}`;
  writeResult('changes.md', text);
  process.stdout.write(text);
}

function ranged(values: readonly number[]): string {
  const { median, min, max } = spread(values);
  return `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
}

function writeConfig(): void {
  const destination = {
    type: 'azure-blob',
    accountUrl: discard.accountUrl,
    container: 'bench',
    auth: { sasToken: 'sv=2024-11-04&sp=racwdl&sig=bench' },
  };
  const activation = (changeDetection: string): object => ({
    model: 'customers',
    destination: 'discard',
    fileName: changeDetection,
    format: { type: 'csv' },
    runType: 'full_then_delta',
    syncMode: 'difference',
    manifest: false,
    changeDetection,
    ...(changeDetection === 'xmin' && { fullCompareEvery: { runs: 1_000_000, every: '30d' } }),
  });
  const config = {
    version: 1,
    dataDirectory: join(folder, 'data'),
    sources: { db: { type: 'postgres', url } },
    destinations: { discard: destination },
    models: { customers: { source: 'db', table: 'public.customers' } },
    activations: { full: activation('full'), xmin: activation('xmin') },
  };
  writeFileSync(configPath, JSON.stringify(config));
}
