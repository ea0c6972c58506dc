import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveActivation } from '../../../src/config/activation.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import type { DaemonOptions } from '../../../src/daemon/daemon-options.ts';
import type { RunEvent, TriggerRequest } from '../../../src/daemon/operations.ts';
import type { RunProgram } from '../../../src/daemon/processes/run-process.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { type ExportRequest, exportRun } from '../../../src/run/export-run.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';
import { type BlobProxy, startBlobProxy } from '../../support/blob-proxy.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { MemoryLog } from './memory-log.ts';

export type Settings = Readonly<Record<string, unknown>>;

const PROGRAM = fileURLToPath(new URL('../../../dist/bin/run-process-entry.js', import.meta.url));

/** The processes of runs are those that are shipped. */
export function builtProgram(): RunProgram {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: npm run build`);
  return { path: PROGRAM, execArgv: [] };
}

export interface DaemonSettings {
  /** Keys of the section `daemon`. */
  readonly daemon?: Settings;
  /** By name; each with the keys of an activation, and those of its model. */
  readonly activations?: Readonly<Record<string, Settings>>;
  /** Another URL of the database than its own, as a proxy has. */
  readonly url?: string;
  /** Settings of the destination. */
  readonly destination?: Settings;
}

/** Rows come one a second: the run is under way until it is told to stop. */
export const SLOW: Settings = {
  sql: 'select id, name, pg_sleep(1)::text as pause from t, generate_series(1, 1000) g',
  mapping: ['id', 'name'],
};

/** Retries come soon. */
const QUICK = { retry: { attempts: 3, minDelay: '20ms', maxDelay: '100ms' }, gracePeriod: '10s' };

/** A database, a container and a data directory, and daemons that use them. */
export class DaemonWorld {
  readonly database: TestDatabase;
  readonly container: TestContainer;
  readonly dataDirectory: string;
  settings: DaemonSettings;
  readonly daemons: Daemon[] = [];
  readonly #closing: (() => Promise<void>)[] = [];

  private constructor(
    parts: Pick<DaemonWorld, 'database' | 'container' | 'dataDirectory'>,
    settings: DaemonSettings,
  ) {
    this.database = parts.database;
    this.container = parts.container;
    this.dataDirectory = parts.dataDirectory;
    this.settings = settings;
  }

  /** With a table `t (id, name)` of three rows. */
  static async open(settings: DaemonSettings = {}): Promise<DaemonWorld> {
    const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
    const database = await postgres.createDatabase();
    await database.sql(
      `create table t (id int primary key, name text); insert into t select i, 'name ' || i from generate_series(1, 3) i`,
    );
    const container = await azurite.createContainer();
    const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-daemon-'));
    return new DaemonWorld({ database, container, dataDirectory }, settings);
  }

  config(): Settings {
    const { daemon, activations = { one: {} }, url = this.database.url, destination } = this.settings;
    const { connectionString, container } = this.container;
    const models: Record<string, Settings> = {};
    const made: Record<string, Settings> = {};
    for (const [name, settings] of Object.entries(activations)) {
      const { sql = 'select id, name from t', primaryKey = ['id'], params, ...own } = settings;
      models[name] = { source: 'db', sql, primaryKey, ...(params !== undefined && { params }) };
      made[name] = { model: name, destination: 'lake', fileName: name, format: { type: 'csv' }, ...own };
    }
    return {
      version: 1,
      dataDirectory: this.dataDirectory,
      sources: { db: { type: 'postgres', url } },
      destinations: { lake: { type: 'azure-blob', container, auth: { connectionString }, ...destination } },
      models,
      activations: made,
      daemon: { ...QUICK, ...daemon },
    };
  }

  /** Requests to the destination go through it from now on. */
  async blobProxy(): Promise<BlobProxy> {
    const { accountUrl, accountName, accountKey } = this.container;
    const proxy = await startBlobProxy(accountUrl);
    this.#closing.push(() => proxy.close());
    const parts = {
      DefaultEndpointsProtocol: 'http',
      AccountName: accountName,
      AccountKey: accountKey,
      BlobEndpoint: proxy.through(accountUrl),
    };
    const connectionString = Object.entries(parts)
      .map(part => part.join('='))
      .join(';');
    this.settings = { ...this.settings, destination: { auth: { connectionString } } };
    return proxy;
  }

  async start(options: Partial<DaemonOptions> = {}): Promise<Daemon> {
    const daemon = await Daemon.start({
      load: () => parseConfig({ text: JSON.stringify(this.config()), environment: {} }),
      version: '0.0.0-test',
      log: new MemoryLog(),
      program: builtProgram(),
      ...options,
    });
    this.daemons.push(daemon);
    return daemon;
  }

  /** What `sluice run` does, beside the daemon. */
  async runCommand(name: string, more: Partial<ExportRequest> = {}): Promise<RunRecord> {
    const { config } = parseConfig({ text: JSON.stringify(this.config()), environment: {} });
    const activation = resolveActivation(config, name);
    const signal = new AbortController().signal;
    return (await exportRun({ activation, trigger: 'command', signal, ...more })).record;
  }

  /** A program in the place of that which makes runs. */
  async program(text: string): Promise<RunProgram> {
    const path = join(this.dataDirectory, 'program.cjs');
    await writeFile(path, text);
    return { path, execArgv: [] };
  }

  /** The rows of a CSV file after its header, in order. */
  async rows(name: string): Promise<string[]> {
    return (await this.container.download(name)).toString().trimEnd().split('\n').slice(1).sort();
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
    await Promise.all(this.daemons.map(daemon => daemon.stop({ gracePeriodMs: 0 })));
    await Promise.all([this.database.drop(), this.container.drop()]);
    await rm(this.dataDirectory, { recursive: true, force: true });
  }
}

export async function withWorld(
  settings: DaemonSettings,
  act: (world: DaemonWorld) => Promise<void>,
): Promise<void> {
  const world = await DaemonWorld.open(settings);
  try {
    await act(world);
  } finally {
    await world.close();
  }
}

export function request(activation: string, more: Partial<TriggerRequest> = {}): TriggerRequest {
  return { activation, trigger: 'http', ...more };
}

const FOR_EVER = 120_000;

export async function ended(daemon: Daemon, run: string): Promise<RunRecord> {
  const signal = new AbortController().signal;
  const record = await daemon.wait(run, { timeoutMs: FOR_EVER, signal });
  assert.ok(record.endedAt, `${run} has not ended: ${JSON.stringify(record)}`);
  return record;
}

/** The process of the attempt, as the log tells it. */
export async function pidOf(log: MemoryLog, run: string, attempt = 1): Promise<number> {
  const { fields } = await log.until(
    line => line.message === 'run begins' && line.fields.run === run && line.fields['attempt'] === attempt,
  );
  return fields['pid'] as number;
}

/** The first event of the run that fits. */
export function eventOf(daemon: Daemon, run: string, fits: (event: RunEvent) => boolean): Promise<RunEvent> {
  return new Promise(resolve => {
    const stop = daemon.observe(run, event => {
      if (!fits(event)) return;
      stop();
      resolve(event);
    });
  });
}

/** As soon as the run is in that state, now or later. */
export async function untilState(daemon: Daemon, run: string, state: RunRecord['state']): Promise<RunRecord> {
  const later = eventOf(daemon, run, event => event.type === 'state' && event.record.state === state);
  const now = await daemon.run(run);
  if (now.state === state) return now;
  const event = await later;
  return event.type === 'state' ? event.record : now;
}

/** Trigger and wait. */
export async function make(
  daemon: Daemon,
  activation: string,
  more: Partial<TriggerRequest> = {},
): Promise<RunRecord> {
  const { record } = await daemon.trigger(request(activation, more));
  return ended(daemon, record.run);
}
