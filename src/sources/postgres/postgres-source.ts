import { once } from 'node:events';
import type { Readable } from 'node:stream';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { SluiceError } from '../../errors.ts';
import type { Column } from '../../row-batch.ts';
import type { EndOfData, RowSource, SourceDescription } from '../source.ts';
import { type FieldDescription, toColumn } from './column-types.ts';
import { DataRowStream, type DriverConnection } from './data-row-stream.ts';
import { exportQuery, type ModelQuery, modelQuery } from './model-query.ts';
import { type ErrorContext, toSourceError } from './postgres-errors.ts';

export interface PostgresSourceOptions {
  /** Name of the source and of the model, for messages. */
  readonly name: string;
  readonly modelName: string;
  readonly url: string;
  readonly sql: string;
  readonly where?: string | undefined;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
  /** 0 keeps what the server or the role has set. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Rows of one Execute; 0 is all. */
  readonly fetchSize: number;
}

/**
 * What a value's text depends on is pinned for the transaction, as pg_dump does: not in the connection string,
 * where poolers refuse parameters they do not know.
 */
const PINNED_SETTINGS = `
  set local client_encoding = 'UTF8';
  set local datestyle = 'ISO, YMD';
  set local timezone = 'UTC';
  set local intervalstyle = 'postgres';
  set local extra_float_digits = 3;
  set local bytea_output = 'hex';
  set local xmloption = 'content';
  set local synchronize_seqscans = off;
  set local row_security = off;
  set local idle_in_transaction_session_timeout = 0;
`;
const DIALECT_VERSION = 1;

/** Give up asking for a cancellation after so long: the connection is dropped in any case. */
const CANCEL_TIMEOUT_MS = 3_000;

/** What the driver's client has beside its public types. */
interface DriverInternals {
  readonly connection: DriverConnection;
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean | object;
}
interface CancelConnection extends DriverConnection {
  connect(port: number | string, host?: string): void;
  cancel(processID: number, secretKey: number): void;
}

/** One model on one PostgreSQL connection, read in one read-only snapshot. */
export class PostgresSource implements RowSource {
  readonly #options: PostgresSourceOptions;
  readonly #client: pg.Client;
  readonly #internals: DriverInternals;
  #connected = false;
  #closed = false;
  /** The first failure that the driver reported outside of any request. */
  #latched: Error | undefined;
  #rows: DataRowStream | undefined;

  constructor(options: PostgresSourceOptions) {
    this.#options = options;
    this.#client = new pg.Client({
      connectionString: options.url,
      application_name: options.applicationName,
      connectionTimeoutMillis: options.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 30_000,
    });
    this.#internals = this.#client as unknown as DriverInternals;
    this.#client.on('error', error => {
      this.#latched ??= error;
    });
  }

  async describe(): Promise<SourceDescription> {
    const { name, modelName, sql, where, statementTimeoutMs, lockTimeoutMs } = this.#options;
    const { dialect, snapshotTime } = await this.#attempt(`connecting to source ${name}`, async () => {
      await this.#client.connect();
      this.#connected = true;
      await this.#client.query('begin isolation level repeatable read read only');
      await this.#client.query(
        PINNED_SETTINGS +
          setTimeoutOf('statement_timeout', statementTimeoutMs) +
          setTimeoutOf('lock_timeout', lockTimeoutMs),
      );
      const { rows } = await this.#client.query<{ version: string; at: string }>(
        `select current_setting('server_version_num') as version, extract(epoch from now())::text as at`,
      );
      const major = Math.floor(Number(rows[0]!.version) / 10_000);
      return {
        dialect: `postgres ${major}, settings ${DIALECT_VERSION}`,
        snapshotTime: new Date(Number(rows[0]!.at) * 1000),
      };
    });

    const columns = await this.#describeQuery(modelQuery(sql), `preparing model ${modelName}`);
    try {
      await this.#describeQuery(
        exportQuery(sql, columns, where),
        `preparing the export of model ${modelName}`,
      );
    } catch (error) {
      throw notAQuery(error, columns);
    }
    return { columns, dialect, snapshotTime };
  }

  read(columns: readonly Column[]): Readable {
    const { sql, where, modelName, fetchSize, inactivityTimeoutMs } = this.#options;
    const query = exportQuery(sql, columns, where);
    const portal = new QueryStream(query.text, [], { rowMode: 'array' });
    const context = { doing: `reading model ${modelName}`, connected: true, query };
    this.#rows = new DataRowStream({
      portal,
      connection: this.#internals.connection,
      fetchSize,
      inactivityTimeoutMs,
      fieldNames: columns.map(column => column.source),
      toError: cause => toSourceError(cause, context),
      cancel: () => this.#cancel(),
    });
    this.#client.query(portal);
    return this.#rows;
  }

  async finish(): Promise<EndOfData> {
    const rows = this.#rows;
    if (rows === undefined || !rows.readableEnded) throw new TypeError('finish() before the rows have ended');
    await this.#attempt(`ending the snapshot of model ${this.#options.modelName}`, async () => {
      if (this.#latched) throw this.#latched;
      const { command } = await this.#client.query('commit');
      if (command !== 'COMMIT') {
        throw new SluiceError('SOURCE_INCOMPLETE', `the server answered ${command} to commit`, {
          stage: 'source',
        });
      }
    });
    return { rows: rows.rows };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const socket = this.#internals.connection.stream;
    if (!this.#connected || socket.destroyed) {
      socket.destroy();
      return;
    }
    // Terminate is written and the socket ended; the server's side of the close is not waited for.
    this.#client.end().catch(() => {});
    const gone = once(socket, 'close').catch(() => {});
    const timer = setTimeout(() => socket.destroy(), CANCEL_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  }

  /** Parse, bind and describe without executing: the columns, or the server's error with its position. */
  async #describeQuery(query: ModelQuery, doing: string): Promise<Column[]> {
    return this.#attempt(
      doing,
      async () => {
        const portal = new QueryStream(query.text, [], { rowMode: 'array' });
        const { connection } = this.#internals;
        const fields = await new Promise<readonly FieldDescription[] | undefined>((resolve, reject) => {
          const onRows = (message: { fields: FieldDescription[] }): void =>
            settle(() => resolve(message.fields));
          const onNone = (): void => settle(() => resolve(undefined));
          const onEnd = (): void =>
            settle(() => reject(this.#latched ?? new Error('the connection was lost')));
          const settle = (then: () => void): void => {
            connection.off('rowDescription', onRows).off('noData', onNone).off('end', onEnd);
            then();
          };
          connection.on('rowDescription', onRows).on('noData', onNone).on('end', onEnd);
          portal.cursor.on('error', (error: Error) => settle(() => reject(error)));
          this.#client.query(portal);
        });
        await portal.cursor.close();
        if (fields === undefined) {
          const message = `${doing}: the statement returns no rows`;
          throw new SluiceError('SOURCE_NOT_READ_ONLY', message, { stage: 'source' });
        }
        return this.#nameTypes(fields);
      },
      query,
    );
  }

  async #nameTypes(fields: readonly FieldDescription[]): Promise<Column[]> {
    const { rows } = await this.#client.query<{ name: string }>(
      `select format_type(oid, modifier) as name
         from unnest($1::oid[], $2::int[]) with ordinality as field (oid, modifier, place) order by place`,
      [fields.map(field => field.dataTypeID), fields.map(field => field.dataTypeModifier)],
    );
    return fields.map((field, index) => toColumn(field, rows[index]!.name));
  }

  /** Sends a CancelRequest over a connection of its own, as the protocol asks. Best effort, bounded in time. */
  async #cancel(): Promise<void> {
    const { processID, secretKey, host, port, ssl } = this.#internals;
    if (processID === null || secretKey === null) return;
    const connection = new pg.Connection({ ssl } as ConstructorParameters<typeof pg.Connection>[0]);
    const cancel = connection as unknown as CancelConnection;
    await new Promise<void>(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        cancel.stream.destroy();
        resolve();
      };
      const timer = setTimeout(done, CANCEL_TIMEOUT_MS);
      cancel.on('error', done).on('end', done);
      cancel.once(ssl ? 'sslconnect' : 'connect', () => cancel.cancel(processID, secretKey));
      if (host?.startsWith('/')) cancel.connect(`${host}/.s.PGSQL.${port}`);
      else cancel.connect(port, host);
    });
  }

  async #attempt<T>(doing: string, act: () => Promise<T>, query?: ModelQuery): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      const context: ErrorContext = { doing, connected: this.#connected };
      throw toSourceError(this.#latched ?? cause, query ? { ...context, query } : context);
    }
  }
}

function setTimeoutOf(setting: string, milliseconds: number): string {
  return milliseconds > 0 ? `set local ${setting} = ${milliseconds};` : '';
}

/**
 * The model parsed on its own, yet cannot stand in a `from` clause: it is `insert … returning`, `explain`, `show`
 * or the like, or it gives one name to two columns.
 */
function notAQuery(error: unknown, columns: readonly Column[]): unknown {
  const names = columns.map(column => column.name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    const message = `the model has more than one column named "${repeated}"; its columns are ${names.join(', ')}`;
    return new SluiceError('COLUMN_DUPLICATE', message, { cause: error, stage: 'source' });
  }
  const state = (error as { cause?: { code?: string } }).cause?.code;
  const inModel = / of the model/.test((error as Error).message);
  if (!inModel || (state !== '42601' && state !== '0A000')) return error;
  const message = `${(error as Error).message}: the model is not a plain query (select, with, values or table)`;
  return new SluiceError('SOURCE_NOT_READ_ONLY', message, { cause: error, stage: 'source' });
}
