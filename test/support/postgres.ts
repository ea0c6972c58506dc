/**
 * Real PostgreSQL for tests. `getPostgres` gives the one server that all test files
 * share: the one that SLUICE_TEST_POSTGRES_URL names (the launcher run-tests.ts sets it),
 * else one that this process starts and that ends with it. Nothing has to be stopped by
 * the tests: neither the server nor its helpers keep a process alive. Databases are what
 * isolates tests; each is new and has a name of its own.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { PostgresServer, type PostgresServerOptions, type StopMode } from './postgres-server.ts';
import { connect, Sessions } from './sessions.ts';

export type { StopMode } from './postgres-server.ts';

export const POSTGRES_URL_VARIABLE = 'SLUICE_TEST_POSTGRES_URL';

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /**
   * Runs one statement, or several without parameters, in a session as good as new; rows
   * of the last one.
   */
  sql<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    params?: readonly unknown[],
  ): Promise<Row[]>;
  /** A connection of the caller, who ends it. Its loss is not an unhandled error. */
  connect(): Promise<pg.Client>;
  /** Ends the sessions of the database and drops it. */
  drop(): Promise<void>;
}

export interface CreateDatabaseOptions {
  /**
   * Defaults of sessions, as `alter database … set`: hostile ones show what the product
   * forgets to pin.
   */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TestPostgres {
  /** URL of the maintenance database, as a superuser. */
  readonly url: string;
  createDatabase(options?: CreateDatabaseOptions): Promise<TestDatabase>;
}

export interface PrivatePostgres extends TestPostgres {
  readonly running: boolean;
  /** The last lines of the server's log. */
  readonly log: string;
  /** Default `fast`. Resolves when the server has ended. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts the stopped or killed server again, under the same URL. */
  start(): Promise<void>;
  /** Kills server and sessions at once, as a power cut would. */
  kill(): Promise<void>;
  /**
   * Ends the server and removes its files. Also happens by itself at the end of the
   * process.
   */
  dispose(): Promise<void>;
}

let shared: Promise<TestPostgres> | undefined;

/**
 * The server shared by the tests of this process. Its settings are not for changing: see
 * startPrivatePostgres.
 */
export function getPostgres(): Promise<TestPostgres> {
  shared ??= findOrStart();
  return shared;
}

/**
 * A server of the test's own, to stop, kill and restart, or to give other settings. Takes
 * about a second.
 */
export async function startPrivatePostgres(options: PostgresServerOptions = {}): Promise<PrivatePostgres> {
  const server = await PostgresServer.start(options);
  const sessions = new Sessions();
  return {
    url: server.url,
    get running() {
      return server.running;
    },
    get log() {
      return server.log;
    },
    createDatabase: settings => createDatabase(server.url, sessions, settings),
    stop: async mode => {
      await sessions.end();
      await server.stop(mode);
    },
    start: () => server.start(),
    kill: async () => {
      await sessions.end();
      await server.kill();
    },
    dispose: async () => {
      await sessions.end();
      await server.dispose();
    },
  };
}

async function findOrStart(): Promise<TestPostgres> {
  const url = process.env[POSTGRES_URL_VARIABLE] ?? (await PostgresServer.start()).url;
  const sessions = new Sessions();
  return { url, createDatabase: options => createDatabase(url, sessions, options) };
}

async function createDatabase(
  serverUrl: string,
  sessions: Sessions,
  options: CreateDatabaseOptions = {},
): Promise<TestDatabase> {
  const name = `sluice_test_${process.pid}_${randomBytes(6).toString('hex')}`;
  // template0 has no sessions, so that databases can be made from it at the same time.
  const create = `create database ${name} template template0 encoding 'UTF8'`;
  await sessions.query(serverUrl, `${create} ${await byCopying(serverUrl, sessions)}`);
  for (const [setting, value] of Object.entries(options.settings ?? {})) {
    const change = `alter database ${name} set ${pg.escapeIdentifier(setting)} = ${pg.escapeLiteral(value)}`;
    await sessions.query(serverUrl, change);
  }
  const databaseUrl = new URL(serverUrl);
  databaseUrl.pathname = `/${name}`;
  const url = databaseUrl.href;
  return {
    name,
    url,
    sql: (text, params) => sessions.query(url, text, params),
    connect: () => connect(url),
    drop: async () => {
      await sessions.end(url);
      await sessions.query(serverUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

/**
 * The default of PostgreSQL 15 and later logs every page of the new database: ten times
 * the work.
 */
async function byCopying(serverUrl: string, sessions: Sessions): Promise<string> {
  const [row] = await sessions.query<{ version: number }>(
    serverUrl,
    "select current_setting('server_version_num')::int as version",
  );
  return row!.version >= 150_000 ? 'strategy file_copy' : '';
}

/** A session of its own on that database, for as long as `act` takes. */
export async function onServer<T>(url: string, act: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
}
