/**
 * `npm run histories -- [--count N] [--seed S] [--rows N]`: random histories, each of
 * whose runs has to find what has changed.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createMemoryFolder } from '../support/memory-folder.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { startSessionPool } from '../support/session-pool.ts';
import { type HistoryResult, playHistory } from './history.ts';

export interface PlayOptions {
  readonly count: number;
  /** The first history has this seed; each next one has the next. */
  readonly seed: number;
  /**
   * Histories under way at a time, so that the transactions of one are old ones to
   * others.
   */
  readonly together?: number;
  /** How many rows each has at the beginning; a few by default. */
  readonly rows?: number | undefined;
}

const WRITERS = 3;

/**
 * On a server of their own, since they prepare transactions; its sessions serve one run
 * after the other.
 */
export async function playHistories({
  count,
  seed,
  together = 6,
  rows,
}: PlayOptions): Promise<HistoryResult> {
  const server = await PostgresServer.start({ settings: { max_prepared_transactions: '100' } });
  const pool = await startSessionPool(server.url);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-histories-'));
  const clients: pg.Client[] = [];
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: server.url });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    await client.query(`set lock_timeout = '1ms'; set client_min_messages = error`);
    return client;
  };
  const sum = { runs: 0, xminRuns: 0 };
  let next = seed;
  const play = async (): Promise<void> => {
    const writers = await Promise.all(Array.from({ length: WRITERS }, connect));
    const sessions = { url: `${pool.through(server.url)}?sslmode=disable`, writers, admin: await connect() };
    while (next < seed + count) {
      const { runs, xminRuns } = await playHistory(next++, sessions, { folder, rows });
      sum.runs += runs;
      sum.xminRuns += xminRuns;
    }
  };
  try {
    await Promise.all(Array.from({ length: together }, play));
    return sum;
  } finally {
    await Promise.all(clients.map(client => client.end().catch(() => {})));
    await pool.close();
    await server.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: { count: { type: 'string' }, seed: { type: 'string' }, rows: { type: 'string' } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6) * 1000);
  const memory = createMemoryFolder();
  if (memory !== undefined) process.env['TMPDIR'] = memory;
  const begin = performance.now();
  try {
    const rows = values.rows === undefined ? undefined : Number(values.rows);
    const { runs, xminRuns } = await playHistories({ count: Number(values.count ?? 2000), seed, rows });
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    process.stdout.write(
      `${runs} runs, ${xminRuns} of them by xmin, from seed ${seed} on, in ${seconds} s\n`,
    );
  } finally {
    if (memory !== undefined) rmSync(memory, { recursive: true, force: true });
  }
}
