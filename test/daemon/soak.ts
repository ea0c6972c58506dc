/**
 * Makes many runs of small activations through one daemon, and looks at what the daemon
 * holds: resident memory, open files, and disk must be flat once the history is full. The
 * requests have no key: those with one stay in the history for a day.
 *
 *   npm run soak -- [--runs 2000] [--activations 4]
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { RunRecord } from '../../src/history/run-record.ts';
import { getAzurite } from '../support/azurite.ts';
import { getPostgres } from '../support/postgres.ts';
import { ServeProcess, writeConfig } from './support/serve-process.ts';

export interface SoakOptions {
  readonly runs: number;
  readonly activations: number;
  readonly say: (text: string) => void;
}

interface Sample {
  readonly runs: number;
  readonly residentBytes: number;
  readonly openFiles: number;
  readonly diskBytes: number;
}

/** Samples are taken this often; those before the history is full are for warming up. */
const SAMPLES = 20;
const KEEP_RUNS = 5;
/**
 * Garbage is collected when V8 likes to: what counts is the middle of a third of the
 * samples.
 */
const MEMORY_TOLERANCE = 1.15;
const DISK_TOLERANCE = 1.1;
/** Connections of the clients come and go. */
const OPEN_FILES_TOLERANCE = 4;

export async function soak({ runs, activations, say }: SoakOptions): Promise<void> {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  const [database, container] = await Promise.all([postgres.createDatabase(), azurite.createContainer()]);
  await database.sql('create table t as select i as id, i::text as name from generate_series(1, 20) i');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-soak-'));
  const dataDirectory = join(folder, 'data');
  const names = Array.from({ length: activations }, (_, index) => `a${index}`);
  const { connectionString } = container;
  await writeConfig(folder, {
    version: 1,
    dataDirectory,
    sources: { db: { type: 'postgres', url: database.url } },
    destinations: {
      lake: { type: 'azure-blob', container: container.container, auth: { connectionString } },
    },
    models: { m: { source: 'db', sql: 'select id, name from t', primaryKey: ['id'] } },
    activations: Object.fromEntries(
      names.map((name, index) => [name, { ...activationOf(name), ...kindOf(index) }]),
    ),
    daemon: { concurrency: 2, history: { keepRuns: KEEP_RUNS, keepFor: '0' } },
  });
  const daemon = await ServeProcess.start(folder);
  const samples: Sample[] = [];
  try {
    const seen = new Set<string>();
    let begun = 0;
    let done = 0;
    const every = Math.max(1, Math.floor(runs / SAMPLES));
    const work = async (name: string): Promise<void> => {
      while (begun < runs) {
        begun++;
        const { body } = await daemon.call<RunRecord>('POST', `/v1/activations/${name}/runs`);
        const record = await daemon.ended(body.run);
        assert.equal(record.state, 'succeeded', JSON.stringify(record));
        assert.ok(!seen.has(record.run), 'a run was made for two requests');
        seen.add(record.run);
        if (++done % every === 0) samples.push(take(daemon.command.pid!, dataDirectory, done, say));
      }
    };
    await Promise.all(names.map(work));
    assert.equal(done, runs);
    for (const name of names) {
      const { body } = await daemon.call<{ runs: RunRecord[] }>(
        'GET',
        `/v1/runs?activation=${name}&limit=100`,
      );
      assert.equal(body.runs.length, KEEP_RUNS, 'the history has other runs than it keeps');
    }
    assertFlat(samples);
    assert.equal((await daemon.stop()).code, 0);
  } finally {
    daemon.command.kill('SIGKILL');
    await Promise.all([database.drop(), container.drop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

function activationOf(name: string): object {
  return { model: 'm', destination: 'lake', fileName: name, format: { type: 'csv' } };
}

/** Every kind of run has something of its own on disk. */
function kindOf(index: number): object {
  return index % 2 === 0 ? {} : { runType: 'full_then_delta', syncMode: 'difference' };
}

function take(pid: number, dataDirectory: string, runs: number, say: (text: string) => void): Sample {
  const sample: Sample = {
    runs,
    residentBytes: residentBytesOf(pid),
    openFiles: existsSync('/proc/self/fd') ? readdirSync(`/proc/${pid}/fd`).length : 0,
    // The logs of requests and of audits have limits of their own, which their tests hold
    // them to.
    diskBytes: bytesBelow(join(dataDirectory, 'activations')),
  };
  const mib = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);
  const { residentBytes, openFiles, diskBytes } = sample;
  say(
    `${runs} runs: ${mib(residentBytes)} MiB resident, ${openFiles} open files, ${mib(diskBytes)} MiB on disk`,
  );
  return sample;
}

function residentBytesOf(pid: number): number {
  return 1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
}

/** Files that others remove meanwhile count as none. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/**
 * The last third of the samples against the third before it; the first third is for
 * warming up.
 */
function assertFlat(samples: readonly Sample[]): void {
  const third = Math.floor(samples.length / 3);
  const middle = (of: readonly Sample[], key: keyof Sample): number =>
    of.map(sample => sample[key]).sort((a, b) => a - b)[Math.floor(of.length / 2)]!;
  const before = samples.slice(-2 * third, -third);
  const last = samples.slice(-third);
  const grown = (key: keyof Sample): number => middle(last, key) / middle(before, key);
  assert.ok(
    grown('residentBytes') < MEMORY_TOLERANCE,
    `resident memory has grown: ${JSON.stringify(samples)}`,
  );
  assert.ok(grown('diskBytes') < DISK_TOLERANCE, `disk use has grown: ${JSON.stringify(samples)}`);
  const more = middle(last, 'openFiles') - middle(before, 'openFiles');
  assert.ok(more <= OPEN_FILES_TOLERANCE, `files are left open: ${JSON.stringify(samples)}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '2000' }, activations: { type: 'string', default: '4' } },
  });
  const start = performance.now();
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  await soak({ runs: Number(values.runs), activations: Number(values.activations), say });
  say(`flat; ${Math.round((performance.now() - start) / 1000)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
