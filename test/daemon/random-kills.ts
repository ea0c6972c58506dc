/**
 * Kills the daemon, and processes of its runs, at random instants, while clients ask for
 * runs over HTTP and repeat what was not answered, and while the tables change. In the
 * end the log of the database and everything that was published prove that each key made
 * one run, that no change is lost and that none is published twice.
 *
 *   npm run daemon-kills -- [--kills 100] [--seed N] [--seconds N]
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Baseline } from '../../src/baseline/baseline.ts';
import { RequestLog } from '../../src/daemon/queue/request-log.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { Random } from '../simulation/random.ts';
import { getAzurite } from '../support/azurite.ts';
import { type BlobProxy, startBlobProxy } from '../support/blob-proxy.ts';
import { getPostgres } from '../support/postgres.ts';
import { ChangingTables } from './support/changing-tables.ts';
import { checkPublished } from './support/published-oracle.ts';
import { RepeatingClient } from './support/repeating-client.ts';
import { ReplacedDaemon } from './support/replaced-daemon.ts';
import { lakeBehind, type ServeProcess, writeConfig } from './support/serve-process.ts';

export interface DaemonKillTotals {
  /** Daemons that were killed, by the moment. */
  readonly kills: Record<Moment, number>;
  /** Processes of runs that were killed beside. */
  runProcesses: number;
  /**
   * Requests that had to be repeated, and those that then were found to have been
   * accepted already.
   */
  repeated: number;
  replayed: number;
  runs: number;
  recovered: number;
  /** Attempts that came to nothing. */
  lostAttempts: number;
}

const DELTA = { runType: 'full_then_delta' };
const ACTIVATIONS: Readonly<
  Record<string, { readonly syncMode: string; readonly runType?: string; readonly maxFileRows?: number }>
> = {
  differing: { ...DELTA, syncMode: 'difference' },
  upserted: { ...DELTA, syncMode: 'upsert', maxFileRows: 2 },
  inserted: { ...DELTA, syncMode: 'insert' },
  whole: { syncMode: 'snapshot', maxFileRows: 10 },
};
const NAMES = Object.keys(ACTIVATIONS);

type Moment = 'while it starts' | 'by time' | 'by request' | 'while it stops';
/** As multiples of what a start takes now: on a busy machine all takes longer. */
const LONGEST_START = 1.2;
const LONGEST_LIFE = 5;
const LONGEST_STOP = 1;
/** Requests to the destination of about four runs. */
const REQUESTS = 40;
/**
 * What a daemon that is waited for may take on a busy machine, before that is a finding.
 */
const PATIENCE_MS = 180_000;
const LONGEST_PAUSE_MS = 150;

export interface DaemonKillOptions {
  readonly kills: number;
  readonly seed: number;
  /** No more kills after so long. */
  readonly seconds?: number;
}

export async function killDaemons(options: DaemonKillOptions): Promise<DaemonKillTotals> {
  const { seed } = options;
  const random = new Random(seed);
  const killed = await openKilled(random);
  const totals: DaemonKillTotals = {
    kills: { 'while it starts': 0, 'by time': 0, 'by request': 0, 'while it stops': 0 },
    runProcesses: 0,
    repeated: 0,
    replayed: 0,
    runs: 0,
    recovered: 0,
    lostAttempts: 0,
  };
  try {
    const daemon = await killAll(killed, options, random, totals);
    await settle(killed, totals);
    assert.equal((await daemon.stop()).code, 0);
    await expectWhole(killed);
    return totals;
  } catch (error) {
    const path = join(tmpdir(), `sluice-killed-${seed}.log`);
    await writeFile(path, killed.daemons.log);
    throw new Error(`seed ${seed}, ${JSON.stringify(totals)}; the log of the daemons is ${path}`, {
      cause: error,
    });
  } finally {
    await killed.close();
  }
}

type Killed = Awaited<ReturnType<typeof openKilled>>;

/** What is exported, by whom it is asked for, and the daemon between. */
async function openKilled(random: Random) {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  const [database, container] = await Promise.all([postgres.createDatabase(), azurite.createContainer()]);
  const tables = await ChangingTables.create(database, NAMES);
  const blobs = await startBlobProxy(container.accountUrl);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-killed-'));
  const dataDirectory = join(folder, 'data');
  await writeConfig(folder, {
    version: 1,
    dataDirectory,
    sources: { db: { type: 'postgres', url: database.url } },
    destinations: { lake: lakeBehind(blobs, container) },
    models: Object.fromEntries(
      NAMES.map(name => [name, { source: 'db', sql: `select id, name from ${name}`, primaryKey: ['id'] }]),
    ),
    activations: Object.fromEntries(
      Object.entries(ACTIVATIONS).map(([name, own]) => [
        name,
        // Each run has files of its own, so that all of them can be read in the end.
        { model: name, destination: 'lake', fileName: `${name}-{run}`, format: { type: 'csv' }, ...own },
      ]),
    ),
    daemon: {
      retry: { attempts: 100, minDelay: '20ms', maxDelay: '100ms' },
      gracePeriod: '20s',
      pauseAfterFailures: 0,
    },
  });
  const daemons = new ReplacedDaemon(folder);
  const clients = NAMES.map(name => new RepeatingClient(name, daemons, new Random(random.next())));
  const over = new AbortController();
  const close = async (): Promise<void> => {
    over.abort();
    daemons.close();
    await blobs.close();
    await tables.close();
    await Promise.all([database.drop(), container.drop()]);
    await rm(folder, { recursive: true, force: true });
  };
  return { tables, blobs, container, dataDirectory, daemons, clients, over, close };
}

/**
 * Resolves with the last daemon, which is left alive, when all clients have what they
 * asked for.
 */
async function killAll(
  { tables, blobs, daemons, clients, over }: Killed,
  { kills, seconds = Number.POSITIVE_INFINITY }: DaemonKillOptions,
  random: Random,
  totals: DaemonKillTotals,
): Promise<ServeProcess> {
  const deadline = performance.now() + 1000 * seconds;
  const others = Promise.all([
    ...NAMES.map(name => change(tables, name, new Random(random.next()), over.signal)),
    ...clients.map(client => client.ask(over.signal)),
  ]);
  const killing = (async () => {
    for (let kill = 0; kill < kills && performance.now() < deadline; kill++)
      await killOne(daemons, blobs, random, totals);
    const last = await within(daemons.start().ready, 'the last daemon is ready');
    over.abort();
    await within(others, 'the clients are answered');
    return last;
  })();
  // Whoever of them fails ends the whole.
  return Promise.race([killing, others.then(() => killing)]);
}

async function settle({ clients }: Killed, totals: DaemonKillTotals): Promise<void> {
  for (const client of clients) {
    const records = await within(client.settle(), `the runs of ${client.activation} end`);
    totals.runs += records.length;
    for (const { state, attempts = [] } of records) {
      if (state === 'recovered') totals.recovered++;
      totals.lostAttempts += attempts.length;
    }
    totals.repeated += client.repeated;
    totals.replayed += client.replayed;
  }
}

async function expectWhole({ clients, tables, container, dataDirectory }: Killed): Promise<void> {
  await expectNothingLeft(dataDirectory);
  for (const { activation, runs } of clients) {
    const { syncMode, runType } = ACTIVATIONS[activation]!;
    const versions = await tables.versions(activation);
    const manifests = await checkPublished({ activation, syncMode, container, versions, runs });
    if (runType === 'full_then_delta') await expectBaseline(dataDirectory, activation, manifests.at(-1)!);
  }
}

async function change(
  tables: ChangingTables,
  table: string,
  random: Random,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    await tables.change(table, random);
    await sleep(random.below(LONGEST_PAUSE_MS));
  }
}

/** The life of one daemon. */
async function killOne(
  daemons: ReplacedDaemon,
  blobs: BlobProxy,
  random: Random,
  totals: DaemonKillTotals,
): Promise<void> {
  const draw = random.below(100);
  const moment: Moment =
    draw < 15 ? 'while it starts' : draw < 50 ? 'by time' : draw < 90 ? 'by request' : 'while it stops';
  const { command, ready } = daemons.start();
  if (moment === 'while it starts') {
    await sleep(random.below(LONGEST_START * daemons.startMs));
  } else {
    await within(ready, 'the daemon is ready');
    if (random.chance(0.3)) {
      await sleep(random.below((LONGEST_LIFE / 2) * daemons.startMs));
      totals.runProcesses += killSome(processesOf(command.pid!), random);
    }
    if (moment === 'by request') {
      const last = blobs.requests.length + 1 + random.below(REQUESTS);
      await within(
        blobs.seen(() => blobs.requests.length >= last),
        'runs go on',
      );
      await sleep(random.below(12));
    } else {
      await sleep(random.below(LONGEST_LIFE * daemons.startMs));
    }
    if (moment === 'while it stops') {
      command.kill('SIGTERM');
      await sleep(random.below(LONGEST_STOP * daemons.startMs));
    }
  }
  totals.kills[moment]++;
  // A machine that is switched off takes all of them; an out-of-memory killer only one.
  const processes = random.chance(0.3) ? processesOf(command.pid!) : [];
  await daemons.kill();
  totals.runProcesses += killSome(processes, random);
}

function processesOf(daemon: number): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(daemon)], { encoding: 'utf8' })
      .split('\n')
      .map(Number)
      .filter(Boolean);
  } catch {
    // There is none.
    return [];
  }
}

function killSome(processes: readonly number[], random: Random): number {
  let killed = 0;
  for (const pid of processes) {
    if (random.chance(0.3)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // It has ended.
    }
  }
  return killed;
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms in vain: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Neither in the queue nor in a journal. */
async function expectNothingLeft(dataDirectory: string): Promise<void> {
  const requests = await RequestLog.open(join(dataDirectory, 'daemon', 'queue.log'));
  assert.deepEqual(requests.runs, [], 'the queue still has runs');
  await requests.close();
  for (const name of NAMES)
    assert.deepEqual(readdirSync(join(dataDirectory, 'activations', name, 'runs')), [], `journal of ${name}`);
}

async function expectBaseline(
  dataDirectory: string,
  activation: string,
  { run, generation }: Pick<RunRecord, 'run' | 'generation'>,
): Promise<void> {
  const baseline = await Baseline.open(join(dataDirectory, 'activations', activation, 'baseline'));
  try {
    const { state } = baseline;
    assert.deepEqual([state?.run, state?.generation], [run, generation], `baseline of ${activation}`);
  } finally {
    await baseline.close();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '100' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      seconds: { type: 'string', default: 'Infinity' },
    },
  });
  const seed = Number(values.seed);
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  say(`seed ${seed}`);
  const start = performance.now();
  const [kills, seconds] = [Number(values.kills), Number(values.seconds)];
  const totals = await killDaemons({ kills, seed, seconds });
  say(`${JSON.stringify(totals)} in ${Math.round((performance.now() - start) / 1000)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
