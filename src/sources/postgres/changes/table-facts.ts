import { withinSavepoint } from '../type-facts.ts';

/** A table, or a partition of one. */
interface Relation {
  readonly oid: number;
  /** `pg_class.relkind`. */
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  /** How its rows are kept; absent where it has none of its own. */
  readonly method: string | null;
  /** Changes when the table is rewritten. */
  readonly file: number;
  /** What it belongs to, with whether it is being detached. */
  readonly parents: string;
  readonly isPartition: boolean;
}

/**
 * What the catalogue says of a table and of all that belongs to it, as of the snapshot.
 */
export interface TableFacts {
  /** The table first. */
  readonly relations: readonly Relation[];
  /** A digest of everything that decides how the bytes of their rows are read. */
  readonly columns: string;
  /** The types of the table's columns by their names, and which can be NULL. */
  readonly types: Readonly<Record<string, number>>;
  readonly nullable: readonly string[];
  /** Columns of each index that admits no two rows with the same values in them. */
  readonly unique: readonly (readonly string[])[];
}

/** What comes with the server has a lower one (`FirstNormalObjectId`). */
export const FIRST_USER_OID = 16_384;

/**
 * The query whose result is one `TableFacts`; `table` is its quoted name as a literal.
 */
export function tableFactsQuery(table: string): string {
  return withinSavepoint(`
    set local search_path = pg_catalog;
    with recursive
      tree (oid) as (
        select ${table}::regclass::oid
        union
        select inhrelid from pg_inherits join tree on inhparent = tree.oid),
      root as (select ${table}::regclass::oid as oid),
      fields as (select a.*, root.oid as root from pg_attribute a join tree on attrelid = tree.oid left join root using (oid)
        where attnum > 0 and not attisdropped)
    select json_build_object(
      'relations', (select json_agg(json_build_object('oid', c.oid::int8, 'kind', relkind, 'schema', nspname, 'name', relname,
          'method', amname, 'file', relfilenode::int8, 'isPartition', relispartition,
          'parents', (select coalesce(json_agg(to_jsonb(i) order by i.inhseqno), '[]')::text from pg_inherits i where inhrelid = c.oid))
          order by c.oid <> root.oid, c.oid)
        from tree join pg_class c using (oid) join pg_namespace n on n.oid = relnamespace left join pg_am on pg_am.oid = relam, root),
      'columns', (select encode(sha256(convert_to(string_agg(json_build_array(attnum, attname, atttypid::int8,
          atttypmod, attcollation::int8, attgenerated, attmissingval::text)::text, ',' order by attrelid, attnum), 'UTF8')), 'hex')
        from fields),
      'types', (select coalesce(json_object_agg(attname, atttypid::int8), '{}') from fields where root is not null),
      'nullable', (select coalesce(json_agg(attname), '[]') from fields where root is not null and (not attnotnull
        -- Since PostgreSQL 18 a constraint may stand that was never checked.
        or exists (select from pg_constraint where conrelid = attrelid and contype = 'n' and conkey = array[attnum]
          and not convalidated))),
      'unique', (select coalesce(json_agg(columns), '[]') from (
        select json_agg(attname) as columns
          from pg_index cross join lateral unnest(indkey) with ordinality as part (number, place)
            join root on indrelid = root.oid join fields on attrelid = indrelid and attnum = part.number
          where indisunique and indisvalid and indisready and indislive and indpred is null and indexprs is null
            and place <= indnkeyatts
          group by indexrelid) indexes)) as found;`);
}

/**
 * Why rows of the table cannot be told to be as they were; `undefined` where they can.
 */
export function unfitTable({ relations }: TableFacts): string | undefined {
  const [table, ...others] = relations;
  if (table!.oid < FIRST_USER_OID) return `${nameOf(table!)} is a table of the system`;
  if (table!.kind === 'r' && others.length > 0) return `other tables inherit from ${nameOf(table!)}`;
  for (const relation of relations) {
    const { kind, method } = relation;
    if (kind !== 'r' && kind !== 'p') return `${nameOf(relation)} is ${KINDS[kind] ?? 'not a table'}`;
    if (kind === 'r' && method !== 'heap')
      return `${nameOf(relation)} is kept by the access method ${method}`;
  }
  return undefined;
}

const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
};

function nameOf({ schema, name }: Relation): string {
  return `${schema}.${name}`;
}

/** Whether the columns together are NULL in no row and different in every two. */
export function isProvenKey(key: readonly string[], { nullable, unique }: TableFacts): boolean {
  return (
    key.every(name => !nullable.includes(name)) &&
    unique.some(columns => columns.every(name => key.includes(name)))
  );
}
