import type { Readable } from 'node:stream';
import type pg from 'pg';
import { SluiceError } from '../../errors.ts';
import type { Column } from '../../row-batch.ts';
import type {
  ChangeFinder,
  EndOfData,
  KeyRangeFinder,
  RowGrouping,
  RowSource,
  Slice,
  SliceFinder,
  SliceReader,
  SourceDescription,
  SourcePosition,
} from '../source.ts';
import { PostgresChanges } from './changes/postgres-changes.ts';
import { type FieldDescription, toColumn } from './column-types.ts';
import { IdentityToken } from './connection/identity-token.ts';
import { PostgresConnection } from './connection/postgres-connection.ts';
import {
  type Converted,
  SESSION_QUERY,
  type Session,
  type SessionRow,
  sessionOf,
} from './connection/settings.ts';
import { beginStatements, CHECK_CLIENT } from './connection/snapshot-statements.ts';
import { DataRowStream } from './data-row-stream.ts';
import {
  exportQuery,
  grouped,
  type ModelQuery,
  type ModelTable,
  modelQuery,
  quotedTable,
  tableQuery,
} from './model-query.ts';
import { notExportable } from './not-exportable.ts';
import { objectNamesOf, objectNamesQuery } from './object-names.ts';
import { PARAMETER_OIDS } from './parameter-oids.ts';
import { toSourceError } from './postgres-errors.ts';
import type { PostgresSourceOptions } from './postgres-source-options.ts';
import { primaryKeyQuery } from './primary-key.ts';
import { ResultFormats } from './result-format.ts';
import { type QueryParameter, ResultPortal } from './result-portal.ts';
import { PostgresKeyRanges } from './slices/postgres-key-ranges.ts';
import { onPages, PostgresSlices, SLICE_SETTINGS } from './slices/postgres-slices.ts';
import { readerOptions } from './slices/reader-options.ts';
import type { TableLook } from './slices/whole-table.ts';
import { type SortPlan, sortCost, sortPlanQuery, WORK_MEMORY_QUERY } from './sort-cost.ts';
import { type PositionRow, positionColumns, toPosition } from './source-position.ts';
import { catalogueQuery, type TypeFacts } from './type-facts.ts';
import { RowConversion, Way } from './values/row-conversion.ts';

const MAX_ROW_BYTES = 512 * 1024 * 1024;

/** Version of the texts of values: with another text, equal rows would differ. */
const DIALECT_VERSION = 1;

interface Snapshot {
  readonly session: Session;
  readonly position: SourcePosition | undefined;
  /** Why the table that is to be searched for changes is not locked. */
  readonly lockRefusal?: string | undefined;
}

/** One model on one PostgreSQL connection, read in one read-only snapshot. */
export class PostgresSource implements RowSource, SliceReader {
  readonly #options: PostgresSourceOptions;
  readonly #connection: PostgresConnection;
  /** Requests that wait for their answer. */
  #pending = 0;
  /** What ended a request from our side. */
  #failure: SluiceError | undefined;
  /** By the name of a column: its type. */
  readonly #types = new Map<string, number>();
  #formats: ResultFormats | undefined;
  #reliedOn: ReadonlySet<Converted> = new Set();
  #statementTimeoutMs = Number.POSITIVE_INFINITY;
  #rows: DataRowStream | undefined;
  /** Rows of streams that have ended before that one. */
  #rowsBefore = 0;
  #changes: PostgresChanges | undefined;
  #slices: PostgresSlices | undefined;

  constructor(options: PostgresSourceOptions) {
    this.#options = options;
    this.#connection = new PostgresConnection(options);
  }

  async describe(): Promise<SourceDescription> {
    const { name, modelName, table, where } = this.#options;
    await this.#attempt(`connecting to source ${name}`, () => this.#connection.connect());
    const snapshot = await this.#attempt(`opening a snapshot of source ${name}`, () => this.#openSnapshot());
    const { session, position } = snapshot;

    this.#statementTimeoutMs = session.statementTimeoutMs;
    const query = this.#model();
    const doing = `preparing model ${modelName}`;
    const columns = await this.#attempt(
      doing,
      async () => {
        const fields = await this.#prepare(query);
        if (fields !== undefined) return this.#typeColumns(fields, session);
        const message = `${doing}: the statement returns no rows`;
        throw new SluiceError('SOURCE_NOT_READ_ONLY', message, { stage: 'source' });
      },
      query,
    );

    const exported = exportQuery(query, columns, where);
    try {
      await this.#attempt(
        `preparing the export of model ${modelName}`,
        () => this.#prepare(exported),
        exported,
      );
    } catch (error) {
      throw notExportable(error as SluiceError, exported, columns);
    }
    await this.#attempt(doing, () => this.#nameObjects());
    const primaryKey = table && (await this.#attempt(doing, () => this.#primaryKeyOf(table)));
    if (this.#options.findsChanges === true && table) this.#changes = this.#createChanges(table, snapshot);
    if (this.#options.divides === true && table) this.#slices = this.#createSlices(table, session);
    if (this.#options.snapshot !== undefined)
      await this.#attempt(doing, () => this.#connection.client.query(SLICE_SETTINGS));
    const dialect = `postgres ${session.version}, settings ${DIALECT_VERSION}`;
    const { snapshotTime } = session;
    const { description: connection } = this.#connection;
    return {
      columns,
      dialect,
      snapshotTime,
      connection,
      ...(position && { position }),
      ...(primaryKey && { primaryKey }),
    };
  }

  get changes(): ChangeFinder | undefined {
    return this.#changes;
  }

  read(columns: readonly Column[], groupedBy: readonly Column[] = []): Readable {
    return this.#open(this.#grouped(columns, groupedBy), columns);
  }

  readonly groups: RowGrouping = {
    cost: (columns, groupedBy) => {
      const query = this.#grouped(columns, groupedBy);
      const doing = `planning the sort of model ${this.#options.modelName}`;
      return this.#attempt(
        doing,
        async () => {
          const portal = new ResultPortal(sortPlanQuery(query.text), [], this.#parametersOf(query));
          const [[plan]] = (await this.#connection.client.query(portal).toArray()) as [[SortPlan]];
          const [workMemory] = await this.#look<[string]>(WORK_MEMORY_QUERY);
          return sortCost(plan, workMemory);
        },
        query,
      );
    },
  };

  #grouped(columns: readonly Column[], groupedBy: readonly Column[]): ModelQuery {
    return grouped(exportQuery(this.#model(), columns, this.#options.where), groupedBy);
  }

  get slices(): SliceFinder | undefined {
    return this.#slices;
  }

  /** @param slice of a table */
  readSlice(columns: readonly Column[], slice: Slice): Readable {
    return this.#open(this.#tableQuery(columns, onPages(slice)), columns);
  }

  get keyRanges(): KeyRangeFinder | undefined {
    const { table } = this.#options;
    if (table === undefined) return undefined;
    return new PostgresKeyRanges({
      ...this.#tableLook(table),
      queryOf: (columns, condition) => this.#tableQuery(columns, condition),
      read: (query, columns) => this.#open(query, columns),
    });
  }

  #open(query: ModelQuery, columns: readonly Column[]): Readable {
    const { modelName, fetchSize, inactivityTimeoutMs, maxRowBytes } = this.#options;
    this.#rowsBefore += this.#rows?.rows ?? 0;
    const types = columns.map(column => this.#types.get(column.source)!);
    const formats = types.map(type => this.#formats!.formatOf(type));
    this.#reliedOn = this.#formats!.reliedOn(types);
    const isBinary = formats.map(({ way }) => way !== Way.copy);
    const portal = new ResultPortal(query.text, isBinary, this.#parametersOf(query));
    const doing = `reading model ${modelName}`;
    const limit = maxRowBytes ?? MAX_ROW_BYTES;
    this.#rows = new DataRowStream({
      portal,
      connection: this.#connection.wire,
      fetchSize,
      inactivityTimeoutMs,
      maxRowBytes: limit,
      conversion: isBinary.includes(true) ? new RowConversion(formats, limit) : undefined,
      fieldNames: columns.map(column => column.source),
      doing,
      toError: cause => {
        const timedOut = this.#isTimeout(startedAt);
        return toSourceError(this.#failureOf(cause), { doing, connected: true, query, timedOut });
      },
      abandon: () => this.#connection.abandon(),
    });
    const startedAt = performance.now();
    this.#connection.client.query(portal);
    return this.#rows;
  }

  async finish(): Promise<EndOfData> {
    const rows = this.#rows;
    const isDivided = rows === undefined && this.#slices !== undefined;
    if (!isDivided && !rows?.readableEnded) throw new TypeError('finish() before the rows have ended');
    const doing = `ending the snapshot of model ${this.#options.modelName}`;
    await this.#attempt(doing, async () => {
      await this.#checkSettings();
      await this.#changes?.check();
      const { command } = await this.#connection.client.query('commit');
      if (command === 'COMMIT') return;
      const message = `${doing}: the server answered ${command} to commit`;
      throw new SluiceError('SOURCE_INCOMPLETE', message, { stage: 'source' });
    });
    return { rows: this.#rowsBefore + (rows?.rows ?? 0) };
  }

  /**
   * A function of the user may have changed, for the transaction, what texts were relied
   * on for.
   */
  async #checkSettings(): Promise<void> {
    if (this.#reliedOn.size === 0) return;
    const { rows } = await this.#connection.client.query<SessionRow>(SESSION_QUERY);
    const { canonical } = sessionOf(rows[0]!, false);
    const changed = [...this.#reliedOn].filter(setting => !canonical.has(setting));
    if (changed.length === 0) return;
    const message = `a function in model ${this.#options.modelName} changed ${changed.join(' and ')} while it was read`;
    const hint = 'give the function a set clause, which ends with it, or set timezone of the source';
    throw new SluiceError('SOURCE_QUERY_FAILED', message, { stage: 'source', hint });
  }

  async close(): Promise<void> {
    this.#rows?.destroy(); // abandons what is under way
    if (this.#pending > 0) this.#connection.abandon();
    await this.#connection.close();
  }

  #model(condition?: string): ModelQuery {
    const { sql, table, parameters } = this.#options;
    const { lexer } = this.#connection;
    const parameterized = parameters !== undefined;
    if (table === undefined) return modelQuery(sql, lexer, { parameterized });
    return tableQuery(table, { condition, parameterLexer: parameterized ? lexer : undefined });
  }

  #parametersOf({ parameters: names = [] }: ModelQuery): QueryParameter[] {
    return names.map(name => {
      const parameter = this.#options.parameters?.[name];
      if (parameter === undefined) throw new TypeError(`the parameter ${name} has no value`);
      return { oid: PARAMETER_OIDS[parameter.type], value: parameter.value };
    });
  }

  #createChanges(table: ModelTable, { session, position, lockRefusal }: Snapshot): PostgresChanges {
    const { where, modelName } = this.#options;
    const model = tableQuery(table, { withWriter: true });
    const doing = `finding changes of model ${modelName}`;
    return new PostgresChanges({
      table,
      version: session.version,
      position,
      lockRefusal,
      formats: this.#formats!,
      typeOf: column => this.#types.get(column.source)!,
      queryOf: (columns, horizon) =>
        exportQuery(horizon === undefined ? this.#model() : model, columns, where, horizon),
      read: (query, columns) => this.#open(query, columns),
      look: statements => this.#attempt(doing, () => this.#look(statements)),
      literal: text => this.#connection.client.escapeLiteral(text),
    });
  }

  #createSlices(table: ModelTable, { version }: Session): PostgresSlices {
    const { modelName, address, connectTimeoutMs } = this.#options;
    const { peer, lost } = this.#connection;
    const lostSnapshot = lost.catch(cause => {
      const holding = `holding the snapshot of model ${modelName}`;
      throw toSourceError(this.#failureOf(cause), { doing: holding, connected: true });
    });
    lostSnapshot.catch(() => {}); // who waits for readers hears of it
    return new PostgresSlices({
      ...this.#tableLook(table),
      version,
      lost: lostSnapshot,
      readerOptions: async snapshot => {
        const { identity } = address;
        const token = identity && (await IdentityToken.of(identity).current(connectTimeoutMs));
        return readerOptions(this.#options, { snapshot, peer, ...(token !== undefined && { token }) });
      },
      queryOf: (columns, condition) => this.#tableQuery(columns, condition),
    });
  }

  #tableLook(table: ModelTable): TableLook {
    const doing = `dividing model ${this.#options.modelName}`;
    return {
      table,
      look: statements => this.#attempt(doing, () => this.#look(statements)),
      literal: text => this.#connection.client.escapeLiteral(text),
    };
  }

  #tableQuery(columns: readonly Column[], condition: string | undefined): ModelQuery {
    return exportQuery(this.#model(condition), columns, this.#options.where);
  }

  async #openSnapshot(): Promise<Snapshot> {
    const position = await positionColumns(this.#connection.client);
    try {
      return await this.#begin(position);
    } catch (error) {
      if (!/^(?:0A|42|55|58|XX)/.test((error as Partial<pg.DatabaseError>).code ?? '')) throw error;
      // A server that is only nearly PostgreSQL has the functions, and refuses to answer.
      await this.#connection.client.query('rollback');
      return this.#begin('');
    }
  }

  /** Begins the transaction, whose first query takes the snapshot. */
  async #begin(position: string): Promise<Snapshot> {
    const { client, checksClient } = this.#connection;
    const settings = beginStatements(this.#options, client);
    await client.query(checksClient ? settings + CHECK_CLIENT : settings).catch(async (error: Error) => {
      if (!checksClient) throw error;
      // The last setting is one that not every platform has; whatever else failed fails
      // here again.
      await client.query('rollback to savepoint sluice; release savepoint sluice').catch(() => {
        throw error;
      });
    });
    const { sql, table, where = '', findsChanges } = this.#options;
    // Before the snapshot: what is known of the table then is what is read.
    const lockRefusal = findsChanges === true && table ? await this.#lock(table) : undefined;
    const { rows } = await client.query<SessionRow & PositionRow>(SESSION_QUERY + position);
    const mayChange = /set_config/i.test(sql + (table?.where ?? '') + where);
    return { session: sessionOf(rows[0]!, mayChange), position: toPosition(rows[0]!), lockRefusal };
  }

  /**
   * Keeps the definition of the table as it is until the end; what is refused is said
   * when it is used.
   */
  async #lock(table: ModelTable): Promise<string | undefined> {
    const { client } = this.#connection;
    await client.query('savepoint sluice_lock');
    try {
      await client.query(`lock table ${quotedTable(table)} in access share mode`);
      return undefined;
    } catch (error) {
      const { code = '', message } = error as Partial<pg.DatabaseError>;
      if (!code.startsWith('42')) throw error;
      await client.query('rollback to savepoint sluice_lock');
      return `the table cannot be locked for reading: ${message}`;
    }
  }

  /**
   * Parse, bind and describe without executing: the fields, undefined where there are
   * none, or the server's error.
   */
  async #prepare(query: ModelQuery): Promise<readonly FieldDescription[] | undefined> {
    const portal = new ResultPortal(query.text, [], this.#parametersOf(query));
    const { client, wire: connection } = this.#connection;
    const fields = await new Promise<readonly FieldDescription[] | undefined>((resolve, reject) => {
      const onRows = (message: { fields: FieldDescription[] }): void => settle(() => resolve(message.fields));
      const onNone = (): void => settle(() => resolve(undefined));
      const settle = (then: () => void): void => {
        connection.off('rowDescription', onRows).off('noData', onNone);
        then();
      };
      connection.on('rowDescription', onRows).on('noData', onNone);
      portal.cursor.on('error', (error: Error) => settle(() => reject(error)));
      client.query(portal);
    });
    await portal.cursor.close();
    return fields;
  }

  async #typeColumns(fields: readonly FieldDescription[], session: Session): Promise<Column[]> {
    const types = fields.map(field => ({ oid: field.dataTypeID, modifier: field.dataTypeModifier }));
    const [names, facts] =
      types.length === 0 ? [[], []] : await this.#look<[string[], TypeFacts[]]>(catalogueQuery(types));
    const catalogue = new Map(facts.map(each => [each.oid, each]));
    const formats = new ResultFormats(catalogue, session);
    this.#formats = formats;
    return fields.map((field, index) => {
      this.#types.set(field.name, field.dataTypeID);
      const column = toColumn(field, names[index]!, catalogue, session.moneyScale);
      const unreadable = formats.whyUnreadable(field.dataTypeID);
      return unreadable === undefined ? column : { ...column, unreadable };
    });
  }

  async #primaryKeyOf(table: ModelTable): Promise<readonly string[]> {
    const name = this.#connection.client.escapeLiteral(quotedTable(table));
    return this.#look<string[][]>(primaryKeyQuery(name)).then(([names]) => names!);
  }

  /** Values that name objects come as oids. */
  async #nameObjects(): Promise<void> {
    const outputs = this.#formats!.objectsIn([...this.#types.values()]);
    if (outputs.length === 0) return;
    const found = await this.#look<Record<string, string>[]>(objectNamesQuery(outputs));
    this.#formats!.names = objectNamesOf(outputs, found);
  }

  /** What the selects among several statements found, which is one value each. */
  async #look<Found extends unknown[]>(statements: string): Promise<Found> {
    const results = [await this.#connection.client.query<[unknown]>({ text: statements, rowMode: 'array' })];
    return results.flat().flatMap(({ rows }) => rows.map(([found]) => found)) as Found;
  }

  /**
   * Every failure of `act`, a lost connection and, once connected, silence: as the
   * project's error.
   */
  async #attempt<T>(doing: string, act: () => Promise<T>, query?: ModelQuery): Promise<T> {
    const { inactivityTimeoutMs } = this.#options;
    const onSilence = (): void => {
      const message = `${doing}: the source sent nothing for ${inactivityTimeoutMs / 1000} s`;
      this.#failure ??= new SluiceError('SOURCE_TIMEOUT', message, { stage: 'source' });
      this.#connection.abandon();
    };
    const limited = this.#connection.connected && inactivityTimeoutMs > 0;
    const timer = limited ? setTimeout(onSilence, inactivityTimeoutMs) : undefined;
    this.#pending += 1;
    const startedAt = performance.now();
    try {
      const earlier = this.#failureOf(undefined);
      if (earlier) throw earlier;
      return await Promise.race([act(), this.#connection.lost]);
    } catch (cause) {
      const timedOut = this.#isTimeout(startedAt);
      const byToken = this.#options.address.identity !== undefined;
      const context = { doing, connected: this.#connection.connected, timedOut, byToken };
      throw toSourceError(this.#failureOf(cause), query ? { ...context, query } : context);
    } finally {
      this.#pending -= 1;
      clearTimeout(timer);
    }
  }

  /**
   * The server says in words only, and in its own language, whether a statement was
   * cancelled by a timeout or by somebody. Its clock started later than ours and stopped
   * earlier; they need not run equally fast.
   */
  #isTimeout(startedAt: number): boolean {
    return performance.now() - startedAt >= this.#statementTimeoutMs * 0.999;
  }

  /** The first of what is known is the cause; the rest follows from it. */
  #failureOf(cause: unknown): unknown {
    return this.#failure ?? this.#connection.failure ?? cause;
  }
}
