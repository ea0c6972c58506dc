import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningCommand, startSluice } from '../../../cli/support.ts';
import { getAzurite, type TestContainer } from '../../../support/azurite.ts';
import { type BlobHook, type BlobProxy, startBlobProxy } from '../../../support/blob-proxy.ts';
import { getPostgres, type TestDatabase } from '../../../support/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../../../support/tcp-proxy.ts';
import { lakeBehind, ServeProcess, writeConfig } from '../../support/serve-process.ts';

export const ROWS = 400;
export const SLICES = 2;
const ALL_IDS = Array.from({ length: ROWS }, (_, index) => index + 1);

/** `sluice worker` as it is shipped, in a folder of its own. */
export interface WorkerProcess {
  readonly command: RunningCommand;
  readonly name: string;
}

/**
 * A source, a queue in a database of its own, a container, one daemon and any number of
 * workers: each process has a folder of its own, as on a host of its own.
 */
export class QueueWorld {
  readonly database: TestDatabase;
  readonly queue: TestDatabase;
  readonly container: TestContainer;
  readonly blobs: BlobProxy;
  /** The way to the queue. */
  readonly link: TcpProxy;
  readonly #folder: string;
  readonly #activations: Readonly<Record<string, object>>;
  readonly #started: RunningCommand[] = [];
  #hosts = 0;

  private constructor(
    parts: Pick<QueueWorld, 'database' | 'queue' | 'container' | 'blobs' | 'link'>,
    folder: string,
    activations: Readonly<Record<string, object>>,
  ) {
    this.database = parts.database;
    this.queue = parts.queue;
    this.container = parts.container;
    this.blobs = parts.blobs;
    this.link = parts.link;
    this.#folder = folder;
    this.#activations = activations;
  }

  /** With activations by name, which have keys of their own. */
  static async open(activations: Readonly<Record<string, object>>): Promise<QueueWorld> {
    const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
    const [database, queue, container] = await Promise.all([
      postgres.createDatabase(),
      postgres.createDatabase(),
      azurite.createContainer(),
    ]);
    await database.sql(`create table t (id int primary key, v text, r float8);
      insert into t select i, 'v' || i, i from generate_series(1, ${ROWS}) i; cluster t using t_pkey;`);
    const blobs = await startBlobProxy(container.accountUrl);
    const link = await startTcpProxy(queue.url);
    const folder = await mkdtemp(join(tmpdir(), 'sluice-hosts-'));
    return new QueueWorld({ database, queue, container, blobs, link }, folder, activations);
  }

  /** The configuration, the same on each host. */
  config(): object {
    const activations = Object.entries(this.#activations).map(([name, keys]) => {
      const usual = { model: 'm', destination: 'lake', fileName: name, format: { type: 'json' } };
      return [name, { ...usual, consistency: 'slice', parallel: SLICES, ...keys }];
    });
    return {
      version: 1,
      dataDirectory: './data',
      sources: { db: { type: 'postgres', url: this.database.url } },
      destinations: { lake: lakeBehind(this.blobs, this.container) },
      models: { m: { source: 'db', table: 'public.t' } },
      activations: Object.fromEntries(activations),
      state: { destination: 'lake' },
      queue: { url: this.link.through(this.queue.url) },
      daemon: { retry: { attempts: 3, minDelay: '50ms', maxDelay: '200ms' }, gracePeriod: '5s' },
    };
  }

  /** A folder of a new host. */
  async host(): Promise<string> {
    const folder = join(this.#folder, `host-${++this.#hosts}`);
    await mkdir(folder);
    await writeConfig(folder, this.config());
    return folder;
  }

  async serve(folder?: string): Promise<ServeProcess> {
    const serving = await ServeProcess.start(folder ?? (await this.host()));
    this.#started.push(serving.command);
    return serving;
  }

  async worker(...args: string[]): Promise<WorkerProcess> {
    const command = startSluice(['worker', '--log', 'json', ...args], { cwd: await this.host() });
    this.#started.push(command);
    await command.until(/the worker takes slices/);
    const name = /"worker":"([^"]+)"/.exec(command.printed().stdout)![1]!;
    return { command, name };
  }

  async publishedIds(name: string): Promise<number[]> {
    const rows = JSON.parse((await this.container.download(`${name}.json`)).toString()) as { id: number }[];
    return rows.map(({ id }) => id).sort((one, other) => one - other);
  }

  get allIds(): readonly number[] {
    return ALL_IDS;
  }

  async manifest(name: string): Promise<Record<string, unknown>> {
    return JSON.parse((await this.container.download(`_sluice/${name}/latest.json`)).toString());
  }

  /** Holds the first blocks of a file that come from now on, until they are let go. */
  holdBlocks(file: string, count = 1): { readonly held: Promise<void>; readonly letGo: () => void } {
    let letGo = (): void => {};
    const gone = new Promise<void>(resolve => (letGo = resolve));
    let onHeld = (): void => {};
    const held = new Promise<void>(resolve => (onHeld = resolve));
    let seen = 0;
    const hook: BlobHook = ({ comp, blob = '', headers, query }) => {
      // The first one of a run is of no slice.
      const isBlock = comp === 'block' && blob.startsWith(file) && headers['content-length'] !== '1';
      if (!isBlock || query.get('blockid') === null || seen >= count) return undefined;
      if (++seen === count) onHeld();
      return { delayUntil: gone };
    };
    this.blobs.setHook(hook);
    return { held, letGo };
  }

  /** As if no worker had given a sign of life for longer than it may. */
  async lapse(): Promise<void> {
    await this.queue.sql(
      `update sluice_queue.job set heartbeat_on = now() - interval '1 hour' where state = 'active'`,
    );
  }

  async close(): Promise<void> {
    for (const command of this.#started) command.kill('SIGKILL');
    await Promise.all(this.#started.map(({ ended }) => ended));
    await Promise.all([this.blobs.close(), this.link.close()]);
    await Promise.all([this.database.drop(), this.queue.drop(), this.container.drop()]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
