/**
 * How soon the daemon answers 200 requests that come at once, over 20 activations, while
 * runs go on. The first rounds meet a daemon that has just begun, whose code the engine
 * has not compiled yet; they are counted by themselves.
 *
 *   npx tsx bench/daemon-triggers.ts [--rounds 40]
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ServeProcess, writeConfig } from '../test/daemon/support/serve-process.ts';
import { getPostgres } from '../test/support/postgres.ts';
import { startEmulator } from './support/emulator.ts';
import { spread } from './support/statistics.ts';

const ACTIVATIONS = 20;
const REQUESTS = 200;
const COLD_ROUNDS = 10;
const CLIENT_ROUNDS = 20;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '40' } } });
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

// In a process of its own: what is timed shares this one's loop with nothing.
const [postgres, emulator] = await Promise.all([getPostgres(), startEmulator()]);
const database = await postgres.createDatabase();
await database.sql(
  `create table t as select i as id, repeat('x', 100) as text from generate_series(1, 200000) i`,
);
const folder = await mkdtemp(join(tmpdir(), 'sluice-triggers-'));
const names = Array.from({ length: ACTIVATIONS }, (_, index) => `activation_${index}`);
const { connectionString } = emulator;
await writeConfig(folder, {
  version: 1,
  dataDirectory: join(folder, 'data'),
  sources: { db: { type: 'postgres', url: database.url } },
  destinations: { lake: { type: 'azure-blob', container: 'bench', auth: { connectionString } } },
  models: { m: { source: 'db', sql: 'select * from t', primaryKey: ['id'] } },
  activations: Object.fromEntries(
    names.map(name => [name, { model: 'm', destination: 'lake', fileName: name, format: { type: 'csv' } }]),
  ),
  daemon: { concurrency: 2, gracePeriod: '1s', queueLimit: 1000 },
});
const daemon = await ServeProcess.start(folder);
try {
  for (const name of names.slice(0, 4)) await daemon.trigger(name, `first-${name}`);
  const port = Number(new URL(daemon.url).port);
  await warmUpClient();
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    const health = await daemon.call<object>('GET', '/v1/runs?state=reading&limit=10');
    const running = (health.body as { runs: unknown[] }).runs.length;
    const before = cpuMs();
    const times = await Promise.all(
      Array.from({ length: REQUESTS }, (_, index) =>
        timed(port, requestOf(names[index % ACTIVATIONS]!, `${round}-${index}`)),
      ),
    );
    times.sort((a, b) => a - b);
    (round > COLD_ROUNDS ? warm : cold).push(at(times, 0.5));
    const [median, p95, max] = [0.5, 0.95, 1].map(share => at(times, share).toFixed(1));
    say(
      `round ${round}, ${running} runs under way: median ${median} ms, p95 ${p95} ms, max ${max} ms; the daemon took ${cpuMs() - before} ms of processor time`,
    );
  }

  for (const [name, medians] of Object.entries({ cold, warm })) {
    if (medians.length === 0) continue;
    const [median, min, max] = Object.values(spread(medians)).map(value => value.toFixed(1));
    say(`medians of ${medians.length} ${name} rounds: ${median} ms (${min} to ${max})`);
  }
} finally {
  await daemon.stop();
  await Promise.all([database.drop(), emulator.stop()]);
  await rm(folder, { recursive: true, force: true });
}

/** The value at a share of sorted ones. */
function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/**
 * Processor time of the daemon's own process so far, in steps of 10 ms; 0 where the
 * system does not tell.
 */
function cpuMs(): number {
  try {
    const fields = readFileSync(`/proc/${daemon.command.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return 0;
  }
}

/**
 * The client shares the cores with the daemon: its own code is to be compiled before it
 * measures.
 */
async function warmUpClient(): Promise<void> {
  const server = createServer(socket =>
    socket.once('data', () => socket.end('HTTP/1.1 202 Accepted\r\n\r\n')),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (let round = 0; round < CLIENT_ROUNDS; round++) {
    await Promise.all(Array.from({ length: REQUESTS }, () => timed(port, requestOf('a', String(round)))));
  }
  server.close();
}

function requestOf(name: string, key: string): string {
  return `POST /v1/activations/${name}/runs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: ${key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
}

/**
 * Milliseconds from the request, on a connection of its own, to the whole answer. By a
 * bare socket: an HTTP client takes about as long over a request as the daemon does.
 */
function timed(port: number, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = connect(port, '127.0.0.1');
    let status = '';
    socket.on('data', (bytes: Buffer) => {
      if (status === '') status = bytes.toString('latin1', 0, 12);
    });
    socket.on('end', () => {
      const took = performance.now() - start;
      if (status === 'HTTP/1.1 202') resolve(took);
      else reject(new Error(`answered ${status}`));
    });
    socket.on('error', reject);
    socket.write(request);
  });
}
