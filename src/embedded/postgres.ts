/**
 * PostgreSQL inside this process (PGlite, compiled to WebAssembly), for `sluice demo`: in
 * memory, on a free loopback port, open to any user and password. Drivers and psql
 * connect to it as to a server.
 *
 * It has ONE backend behind all connections, which run their messages in turn. What
 * follows from that, seen by running @electric-sql/pglite 0.5.14 with pglite-socket
 * 0.2.17, and held by embedded-postgres.test.ts:
 *   - A transaction has the backend for itself: other connections wait until it ends,
 *     those that connect too. So
 *     `parallel` readers, or anything else that needs a second connection while the first is in a transaction,
 *     wait forever.
 *   - A portal read outside a transaction block makes the others wait as well, and is not
 *     safe from them.
 *   - Settings, temporary tables and prepared names are shared by all connections: pin
 *     with SET LOCAL.
 *   - User, database, `options` and `application_name` of the URL are ignored; the user
 *     is `postgres`.
 *   - A cancel request is taken and ignored; statement_timeout and pg_terminate_backend
 *     have no effect, as nothing
 *     interrupts a statement. Work on the event loop of this process stands still while one runs.
 *   - The answer to one Execute is held in memory until the client has taken it: a paused
 *     socket holds nothing back.
 *     A row limit on Execute (a fetch size) bounds it.
 */
import pg from 'pg';
import { importOptional } from './optional-package.ts';

const PGLITE = { name: '@electric-sql/pglite', version: '0.5.14' };
const PGLITE_SOCKET = { name: '@electric-sql/pglite-socket', version: '0.2.17' };
const PURPOSE = 'the embedded PostgreSQL';

/** Others than the one whose turn it is wait; above this number they are refused. */
const MAX_CONNECTIONS = 50;

export interface EmbeddedPostgres {
  readonly url: string;
  /**
   * Runs one or more statements over a connection of its own, after any transaction that
   * is open.
   */
  exec(sql: string): Promise<void>;
  /** Cuts all connections; the contents are gone. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL; takes one to three seconds. Fails with NOT_AVAILABLE where an
 * optional package is missing.
 */
export async function startEmbeddedPostgres(): Promise<EmbeddedPostgres> {
  const [{ PGlite }, { PGLiteSocketServer }] = await Promise.all([
    importOptional<typeof import('@electric-sql/pglite')>(PGLITE, PGLITE.name, PURPOSE),
    importOptional<typeof import('@electric-sql/pglite-socket')>(PGLITE_SOCKET, PGLITE_SOCKET.name, PURPOSE),
  ]);
  const database = await PGlite.create();
  const server = new PGLiteSocketServer({
    db: database,
    host: '127.0.0.1',
    port: 0,
    maxConnections: MAX_CONNECTIONS,
  });
  try {
    await server.start();
  } catch (error) {
    await database.close();
    throw error;
  }
  const url = `postgresql://postgres@${server.getServerConn()}/postgres`;
  return {
    url,
    exec: sql => execute(url, sql),
    stop: async () => {
      // The server rolls back what is open, for which it needs the database.
      await server.stop();
      await database.close();
    },
  };
}

/**
 * Not by PGlite's own `exec`, which would run inside the transaction that some connection
 * has open.
 */
async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  client.on('error', () => {}); // the query reports it
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
