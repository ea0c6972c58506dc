/**
 * `npx tsx bench/changes.ts --rows 5000000`: a delta of a table of which nothing, 1 % and
 * 20 % was written, with and without deletions, by `changeDetection: xmin` and by
 * comparing all rows in the same round, with the CPU time of the server.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { startDiscardServer } from './support/discard-server.ts';
import { measureSuccess } from './support/measure.ts';
import { generatedRows } from './support/tables.ts';

const { values: args } = parseArgs({
  options: { rows: { type: 'string', default: '5000000' }, rounds: { type: 'string', default: '3' } },
});
const rows = Number(args.rows);

interface Case {
  readonly title: string;
  /** Shares of the rows. */
  readonly updated: number;
  readonly removed: number;
}

const CASES: readonly Case[] = [
  { title: 'nothing changed', updated: 0, removed: 0 },
  { title: '1 % changed', updated: 0.01, removed: 0 },
  { title: '1 % changed, 0.1 % removed', updated: 0.01, removed: 0.001 },
  { title: '20 % changed', updated: 0.2, removed: 0 },
  { title: '20 % changed, 1 % removed', updated: 0.2, removed: 0.01 },
];

const SLUICE = new URL('../dist/bin/sluice.js', import.meta.url).pathname;
const TICKS_PER_SECOND = 100;

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const configPath = join(folder, 'sluice.yaml');
const server = await PostgresServer.start({
  settings: { jit: 'off', shared_buffers: '2GB', max_wal_size: '8GB' },
});
const discard = await startDiscardServer();
const client = new pg.Client({ connectionString: server.url });
try {
  await client.connect();
  await client.query(`create table customers as ${generatedRows(rows)}`);
  await client.query('alter table customers add primary key (id)');
  await client.query('vacuum analyze customers');
  writeConfig();
  for (const name of ['full', 'xmin']) await sluice(name);
  for (let round = 1; round <= Number(args.rounds); round++) {
    for (const each of CASES) {
      await change(each, round);
      const [full, xmin] = [await measured('full'), await measured('xmin')];
      const ratio = (full.wallMs / xmin.wallMs).toFixed(1);
      process.stdout.write(
        `${round}  ${each.title.padEnd(28)} full ${shown(full)}  xmin ${shown(xmin)}  ${ratio} times as fast\n`,
      );
    }
  }
} finally {
  await client.end();
  await discard.stop();
  await server.dispose();
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Writes so many rows, spread over the table, and takes others away, which come back in
 * the next case.
 */
async function change({ updated, removed }: Case, round: number): Promise<void> {
  await client.query(
    `insert into customers select * from (${generatedRows(rows)}) made where id not in (select id from customers)`,
  );
  for (const name of ['full', 'xmin']) await sluice(name);
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
}

interface Measured {
  readonly wallMs: number;
  readonly serverMs: number;
}

async function measured(name: string): Promise<Measured> {
  const before = await serverMs();
  const { wallMs } = await sluice(name);
  return { wallMs, serverMs: (await serverMs()) - before };
}

/** CPU time of the server's processes that have ended: the sessions of a run have. */
async function serverMs(): Promise<number> {
  const { rows: found } = await client.query(`select pg_read_file('postmaster.pid') as pid`);
  const stat = readFileSync(`/proc/${Number.parseInt(found[0].pid, 10)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 16 and 17 of proc(5), of which the first two are cut off.
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS_PER_SECOND;
}

function shown({ wallMs, serverMs }: Measured): string {
  return `${(wallMs / 1000).toFixed(2)} s (server ${(serverMs / 1000).toFixed(2)} s)`;
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
    changeDetection,
    ...(changeDetection === 'xmin' && { fullCompareEvery: { runs: 1_000_000, every: '30d' } }),
  });
  const config = {
    version: 1,
    dataDirectory: join(folder, 'data'),
    sources: { db: { type: 'postgres', url: server.url } },
    destinations: { discard: destination },
    models: { customers: { source: 'db', table: 'public.customers' } },
    activations: { full: activation('full'), xmin: activation('xmin') },
  };
  writeFileSync(configPath, JSON.stringify(config));
}

function sluice(activation: string): ReturnType<typeof measureSuccess> {
  return measureSuccess(process.execPath, [SLUICE, '--config', configPath, 'run', activation, '--json']);
}
