/**
 * How soon the daemon is ready, and how soon a run of ten rows begins and ends, by the
 * size of the configuration.
 *
 *   npm run build && npx tsx bench/daemon-runs.ts [--activations 1,1000] [--rounds 10]
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { ServeProcess } from '../test/daemon/support/serve-process.ts';
import { getPostgres } from '../test/support/postgres.ts';
import { startEmulator } from './support/emulator.ts';

const { values } = parseArgs({
  options: {
    activations: { type: 'string', default: '1,1000' },
    rounds: { type: 'string', default: '10' },
  },
});
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

const [postgres, emulator] = await Promise.all([getPostgres(), startEmulator()]);
const database = await postgres.createDatabase();
try {
  await database.sql(
    `create table t as select i as id, repeat('x', 100) as text from generate_series(1, 10) i`,
  );
  for (const count of values.activations.split(',')) await measure(Number(count), Number(values.rounds));
} finally {
  await Promise.all([database.drop(), emulator.stop()]);
}

async function measure(activations: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-runs-'));
  await writeFile(join(folder, 'sluice.yaml'), stringify(configOf(activations, folder)));
  const start = performance.now();
  const daemon = await ServeProcess.start(folder);
  try {
    const readyMs = performance.now() - start;
    say(
      `${activations} activations: ready after ${readyMs.toFixed(0)} ms, ${usage(daemon).ownMs} ms of processor time`,
    );
    // The first one finds the files of the program not yet in memory.
    await timedRun(daemon, 'first');
    const before = usage(daemon);
    const runs = [];
    for (let round = 1; round <= rounds; round++) runs.push(await timedRun(daemon, `round-${round}`));
    const after = usage(daemon);
    const median = (times: number[]): string => times.sort((a, b) => a - b)[times.length >> 1]!.toFixed(0);
    say(
      `  begins after ${median(runs.map(run => run.beginMs))} ms, ends after ${median(runs.map(run => run.endMs))} ms; ` +
        `processor time a run: ${((after.childrenMs - before.childrenMs) / rounds).toFixed(0)} ms in its process, ` +
        `${((after.ownMs - before.ownMs) / rounds).toFixed(0)} ms in the daemon, which holds ${after.residentMiB} MiB`,
    );
  } finally {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds from the request to the first sign of the run itself, and to its end. */
async function timedRun(daemon: ServeProcess, key: string): Promise<{ beginMs: number; endMs: number }> {
  const start = performance.now();
  const { body } = await daemon.trigger('activation_0', key);
  const events = await fetch(`${daemon.url}/v1/runs/${body.run}/events`);
  let [beginMs, told] = [0, ''];
  for await (const text of events.body!.pipeThrough(new TextDecoderStream())) {
    told += text;
    if (beginMs === 0 && /^event: progress$/m.test(told)) beginMs = performance.now() - start;
  }
  const endMs = performance.now() - start;
  if ((await daemon.ended(body.run)).state !== 'succeeded') throw new Error('the run did not succeed');
  return { beginMs, endMs };
}

/**
 * CPU of the daemon's own process, and of its ended runs' processes; in steps of 10 ms.
 */
function usage({ command }: ServeProcess): { ownMs: number; childrenMs: number; residentMiB: number } {
  const fields = readFileSync(`/proc/${command.pid}/stat`, 'utf8').split(') ')[1]!.split(' ').map(Number);
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15) as [
    number,
    number,
    number,
    number,
  ];
  return {
    ownMs: 10 * (user + system),
    childrenMs: 10 * (childrenUser + childrenSystem),
    residentMiB: Math.round((fields[21]! * 4096) / 1024 ** 2),
  };
}

/** Each activation with a model and a folder of its own. */
function configOf(activations: number, folder: string): object {
  const named = <T>(entry: (index: number) => T): T[] =>
    Array.from({ length: activations }, (_, i) => entry(i));
  const { connectionString } = emulator;
  return {
    version: 1,
    dataDirectory: join(folder, 'data'),
    sources: { db: { type: 'postgres', url: database.url } },
    destinations: { lake: { type: 'azure-blob', container: 'bench', auth: { connectionString } } },
    models: Object.fromEntries(
      named(i => [`model_${i}`, { source: 'db', sql: `select id, text from t -- ${i}`, primaryKey: ['id'] }]),
    ),
    activations: Object.fromEntries(
      named(i => [
        `activation_${i}`,
        {
          model: `model_${i}`,
          destination: 'lake',
          fileName: `activation_${i}/{YYYY}/{MM}/{DD}/rows`,
          format: { type: 'csv' },
          schedule: [{ cron: '0 7 * * *' }],
        },
      ]),
    ),
  };
}
