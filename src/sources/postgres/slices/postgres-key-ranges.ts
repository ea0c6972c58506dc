import type { Readable } from 'node:stream';
import type { Column } from '../../../row-batch.ts';
import type { DividedByKey, KeyRange, KeyRangeFinder } from '../../source.ts';
import { type ModelQuery, quotedTable, quoteIdentifier } from '../model-query.ts';
import { withinSavepoint } from '../type-facts.ts';
import { type TableLook, tableSize, unfitQuery, unfitTable } from './whole-table.ts';

export interface PostgresKeyRangesParts extends TableLook {
  /** The query of the run; with a condition that leaves only rows of which it holds. */
  queryOf(columns: readonly Column[], condition?: string): ModelQuery;
  read(query: ModelQuery, columns: readonly Column[]): Readable;
}

/** A range takes minutes then, which is much more than it takes to start a reader. */
const RANGE_BYTES = 4 * 1024 ** 3;
/** Unless more are asked for. */
const MAX_RANGES = 1000;
/** So many rows of each range are looked at that ranges come out about alike. */
const SAMPLED_PAGES = 20;

/** Types of the server whose order is in every database the same, collation aside. */
const TYPES: ReadonlySet<string> = new Set([
  'int2',
  'int4',
  'int8',
  'numeric',
  'uuid',
  'date',
  'timestamp',
  'timestamptz',
  'bytea',
  'text',
  'varchar',
  'bpchar',
]);
/** None, "C" and "POSIX". The order of others differs between systems and versions. */
const COLLATIONS: ReadonlySet<number> = new Set([0, 950, 951]);

interface KeyColumn {
  readonly name: string;
  /** '' where it is not one of the server's own. */
  readonly type: string;
  readonly collation: number;
}

/**
 * Ranges of one table by its primary key. Each may be read in a snapshot of its own: a
 * row that is there all the time, and keeps its key, is in one range, once.
 */
export class PostgresKeyRanges implements KeyRangeFinder {
  readonly #parts: PostgresKeyRangesParts;

  constructor(parts: PostgresKeyRangesParts) {
    this.#parts = parts;
  }

  async divideByKey(columns: readonly Column[], wanted: number | undefined): Promise<DividedByKey> {
    const { queryOf, look, literal, table } = this.#parts;
    const query = queryOf(columns);
    if ((query.parameters ?? []).length > 0) return { unfit: 'the condition has parameters' };
    const size = await tableSize(this.#parts);
    const [key] = await look<[KeyColumn[]]>(keyQuery(literal(quotedTable(table))));
    const unfit = unfitTable(size) ?? unfitKey(key) ?? (await unfitQuery(query, this.#parts));
    if (unfit !== undefined) return { unfit };
    const { pages, bytes } = size;
    const count = wanted ?? Math.min(MAX_RANGES, Math.max(1, Math.round(bytes / RANGE_BYTES)));
    const names = key.map(({ name }) => name);
    const bounds = count === 1 || pages === 0 ? [] : await this.#bounds(names, count, pages);
    const ranges = [undefined, ...bounds].map((from, index): KeyRange => {
      const to = bounds[index];
      return { key: names, ...(from && { from }), ...(to && { to }) };
    });
    return { ranges, rangeBytes: Math.round(bytes / ranges.length) };
  }

  readRange(columns: readonly Column[], { key, from, to }: KeyRange): Readable {
    const { queryOf, read, literal } = this.#parts;
    const compared = (operator: string, bound: readonly string[] | undefined): string[] =>
      bound === undefined
        ? []
        : [
            `(${key.map(quoteIdentifier).join(', ')}) operator(pg_catalog.${operator}) (${bound.map(literal).join(', ')})`,
          ];
    const conditions = [...compared('>=', from), ...compared('<', to)];
    return read(queryOf(columns, conditions.length === 0 ? undefined : conditions.join(' and ')), columns);
  }

  /** Where ranges begin, but for the first one: keys of a sample of the table. */
  async #bounds(key: readonly string[], count: number, pages: number): Promise<string[][]> {
    const { look, table } = this.#parts;
    const percent = Math.min(100, (100 * SAMPLED_PAGES * count) / pages);
    const columns = key.map(quoteIdentifier);
    const texts = columns.map(column => `${column}::pg_catalog.text`);
    const [bounds] = await look<[string[][]]>(
      withinSavepoint(`
      set local search_path = pg_catalog;
      select coalesce(json_agg(bound order by place), '[]') as found from (
        select json_build_array(${texts.join(', ')}) as bound, place from (
          select ${columns.join(', ')}, row_number() over (order by ${columns.join(', ')}) - 1 as place, count(*) over () as total
            from ${quotedTable(table)} tablesample system (${percent})) as sampled
          where place > 0 and place * ${count} / total <> (place - 1) * ${count} / total) as bounds;`),
    );
    return bounds;
  }
}

function unfitKey(key: readonly KeyColumn[]): string | undefined {
  if (key.length === 0) return 'the table has no primary key';
  const odd = key.find(({ type, collation }) => !TYPES.has(type) || !COLLATIONS.has(collation));
  if (odd === undefined) return undefined;
  const what = TYPES.has(odd.type) ? 'a collation whose order differs between servers' : 'another type';
  return `the column "${odd.name}" of the primary key has ${what}`;
}

/** The query whose result is a `KeyColumn[]`; `table` is its quoted name as a literal. */
function keyQuery(table: string): string {
  return withinSavepoint(`
    set local search_path = pg_catalog;
    select coalesce(json_agg(json_build_object('name', attname, 'collation', attcollation::int8,
        'type', case typnamespace when 'pg_catalog'::regnamespace then typname else '' end) order by place), '[]') as found
      from pg_index
        cross join lateral unnest(indkey) with ordinality as part (number, place)
        join pg_attribute on attrelid = indrelid and attnum = part.number
        join pg_type t on t.oid = atttypid
      where indrelid = ${table}::regclass and indisprimary and place <= indnkeyatts;`);
}
