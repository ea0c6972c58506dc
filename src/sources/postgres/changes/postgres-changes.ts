import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { SluiceError } from '../../../errors.ts';
import type { Column } from '../../../row-batch.ts';
import type { ChangeFinder, Marked, SnapshotMark, SourcePosition } from '../../source.ts';
import { type ModelQuery, type ModelTable, quotedTable } from '../model-query.ts';
import type { ResultFormats } from '../result-format.ts';
import { type Conditions, obstacleBetween } from './conditions.ts';
import { type Expression, parseExpression } from './expression.ts';
import { type NamedThings, namedThingsQuery, provenType } from './immutable.ts';
import { type PlanNode, planQuery, scansOf, type TableScan } from './scan-plan.ts';
import { isProvenKey, type TableFacts, tableFactsQuery, unfitTable } from './table-facts.ts';

/** The model, and what its source lends. */
export interface PostgresChangesParts {
  readonly table: ModelTable;
  /** The server's major version. */
  readonly version: number;
  readonly position: SourcePosition | undefined;
  /**
   * Why the table could not be locked before the snapshot was taken: then its definition
   * may be a later one.
   */
  readonly lockRefusal: string | undefined;
  readonly formats: ResultFormats;
  typeOf(column: Column): number;
  /** The query of the run, without and with the rows that are too old. */
  queryOf(columns: readonly Column[], horizon?: string): ModelQuery;
  read(query: ModelQuery, columns: readonly Column[]): Readable;
  /** What the selects among several statements found, which is one value each. */
  look<Found extends unknown[]>(statements: string): Promise<Found>;
  literal(text: string): string;
}

const FIRST_VERSION = 13;

const SETTINGS = [
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'array_nulls',
  'bytea_output',
  'default_text_search_config',
  'extra_float_digits',
  'lc_monetary',
  'search_path',
  'standard_conforming_strings',
  'transform_null_equals',
  'xmloption',
];

const MARK_QUERY = `
  select pg_catalog.json_build_object(
    'horizon', pg_catalog.pg_snapshot_xmin(snapshot)::text,
    'next', pg_catalog.pg_snapshot_xmax(snapshot)::text,
    'start', extract(epoch from pg_catalog.pg_postmaster_start_time())::text,
    'recovery', (select extract(epoch from stats_reset)::text from pg_catalog.pg_stat_archiver),
    'database', (select oid::text from pg_catalog.pg_database where datname = pg_catalog.current_database()),
    'settings', pg_catalog.json_build_array(${SETTINGS.map(name => `pg_catalog.current_setting('${name}')`).join()})::text) as found
  from pg_catalog.pg_current_snapshot() as snapshot`;

type Moment = Record<'horizon' | 'next' | 'start' | 'recovery' | 'database' | 'settings', string | null>;

/** What can change while rows are read: the rest is held by the lock on the table. */
type Held = Pick<Conditions, 'query' | 'labels'>;

/**
 * Rows of one table that were written since an earlier snapshot. A row version that is
 * visible now, and was written by a transaction that had ended at that snapshot's
 * horizon, was visible then: it is as it was, if its bytes mean the same.
 */
export class PostgresChanges implements ChangeFinder {
  readonly #parts: PostgresChangesParts;
  #columns: readonly Column[] = [];
  #held: Held | undefined;
  #enums: readonly number[] = [];
  /**
   * Whether rows were left out; a comparison of all rows is right whatever changes
   * meanwhile.
   */
  #leavesOut = false;

  constructor(parts: PostgresChangesParts) {
    this.#parts = parts;
  }

  async mark({
    fields,
    key,
  }: {
    readonly fields: readonly Column[];
    readonly key: readonly Column[];
  }): Promise<Marked> {
    const { version, position, lockRefusal, look, literal, table } = this.#parts;
    if (version < FIRST_VERSION)
      return { unfit: `the server is PostgreSQL ${version}, and ${FIRST_VERSION} or later is needed` };
    if (position?.system === undefined || position.timeline === undefined)
      return { unfit: 'the role may not see which server this is: pg_control_system() and its like' };
    const [facts] = await look<[TableFacts]>(tableFactsQuery(literal(quotedTable(table))));
    const unfit = unfitTable(facts) ?? lockRefusal ?? this.#unfitColumn(fields);
    if (unfit !== undefined) return { unfit };
    const names = key.map(({ source }) => source);
    if (!isProvenKey(names, facts))
      return { unfit: `the key (${names.join(', ')}) has no unique index of columns that are not null` };

    this.#columns = fields;
    this.#enums = this.#parts.formats.enumsIn(fields.map(field => this.#parts.typeOf(field)));
    const scans = await this.#scans();
    if (typeof scans === 'string') return { unfit: `the query has ${scans}` };
    const unproven = await this.#unprovenOf(scans, facts);
    if (unproven !== undefined) return { unfit: unproven };

    this.#held = { query: digestOf(scans), labels: await this.#labels() };
    const [moment] = await look<[Moment]>(MARK_QUERY);
    const conditions: Conditions = {
      system: position.system,
      timeline: String(position.timeline),
      standby: String(position.standby === true),
      start: String(moment.start),
      recovery: String(moment.recovery),
      database: String(moment.database),
      table: digestOf(facts.relations.map(({ oid, file, parents }) => [oid, file, parents])),
      columns: facts.columns,
      settings: String(moment.settings),
      ...this.#held,
    };
    return { mark: { horizon: moment.horizon!, next: moment.next!, conditions } };
  }

  obstacle(before: SnapshotMark, now: SnapshotMark): string | undefined {
    return obstacleBetween(before, now);
  }

  readSince({ horizon }: SnapshotMark, columns: readonly Column[]): Readable {
    this.#leavesOut = true;
    return this.#parts.read(this.#parts.queryOf(columns, horizon), columns);
  }

  async count(): Promise<number> {
    const [found] = await this.#parts.look<[number]>(
      `select pg_catalog.count(*) as found from (\n${this.#parts.queryOf([]).text}\n) as rows`,
    );
    return Number(found);
  }

  /**
   * After all rows: partitions can be attached, and labels changed, while the table is
   * locked for reading.
   */
  async check(): Promise<void> {
    if (this.#held === undefined || !this.#leavesOut) return;
    const scans = await this.#scans();
    const isSame = digestOf(scans) === this.#held.query && (await this.#labels()) === this.#held.labels;
    if (isSame) return;
    throw changedMeanwhile();
  }

  #unfitColumn(fields: readonly Column[]): string | undefined {
    for (const field of fields) {
      const what = this.#parts.formats.dependsOn(this.#parts.typeOf(field));
      if (what !== undefined)
        return `column ${field.source} is ${field.sourceType}, which depends on ${what}`;
    }
    return undefined;
  }

  async #scans(): Promise<readonly TableScan[] | string> {
    const { look, queryOf } = this.#parts;
    const [[top]] = await look<[[{ readonly Plan: PlanNode }]]>(planQuery(queryOf(this.#columns).text));
    return scansOf(top.Plan);
  }

  /** The first expression that may give something else for the same row. */
  async #unprovenOf(
    scans: readonly TableScan[],
    { relations, types }: TableFacts,
  ): Promise<string | undefined> {
    const expressions: { readonly text: string; readonly expression: Expression }[] = [];
    for (const { schema, name, alias, output, filter } of scans) {
      if (!relations.some(relation => relation.schema === schema && relation.name === name))
        throw changedMeanwhile();
      for (const text of filter === undefined ? output : [...output, filter]) {
        const expression = parseExpression(text, alias);
        if (expression === undefined) return notProven(text);
        expressions.push({ text, expression });
      }
    }
    const others = expressions.filter(({ expression }) => expression.kind !== 'column');
    if (others.length === 0) return undefined;
    const { look, literal } = this.#parts;
    const parsed = others.map(({ expression }) => expression);
    const [things] = await look<[NamedThings]>(namedThingsQuery(parsed, literal));
    const columns = new Map(Object.entries(types));
    const found = others.find(({ expression }) => provenType(expression, columns, things) === undefined);
    return found && notProven(found.text);
  }

  /** As they are now, whatever the snapshot. */
  async #labels(): Promise<string> {
    if (this.#enums.length === 0) return '';
    const { look } = this.#parts;
    const names = await look<[string[]]>(
      `select pg_catalog.json_agg(oid::pg_catalog.regtype::text order by oid) as found from pg_catalog.pg_type
        where oid in (${this.#enums.join()})`,
    );
    const ranges = names[0].map(name => `pg_catalog.enum_range(null::${name})::text`);
    const [labels] = await look<[string[]]>(`select pg_catalog.json_build_array(${ranges.join()}) as found`);
    return digestOf(labels);
  }
}

/** The next attempt finds it as it is then. */
function changedMeanwhile(): SluiceError {
  const message = 'partitions of the table, its row policies or labels of an enum changed while it was read';
  return new SluiceError('SOURCE_TRANSIENT', message, { stage: 'source' });
}

function notProven(text: string): string {
  return `nothing is known to make \`${text}\` give the same for the same row at any time`;
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}
