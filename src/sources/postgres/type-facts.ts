/** What the catalogue knows of types. Nothing is read out of the spelling of a name. */

export interface TypeFacts {
  readonly oid: number;
  /** `pg_type.typtype`: base, composite, domain, enum, pseudo, range, multirange. */
  readonly type: 'b' | 'c' | 'd' | 'e' | 'p' | 'r' | 'm';
  /** The type of an element; 0 where there are none. */
  readonly element: number;
  /** Stands between values of this type in the text of an array. */
  readonly delimiter: string;
  /** The type that a domain is of, else 0. */
  readonly base: number;
  /** The type of a range's bounds, and of a multirange's ranges, else 0. */
  readonly part: number;
  /** The types of a composite's fields. */
  readonly fields: readonly number[];
  /**
   * The function that writes the text, by its name in the code of the server; `foreign
   * NAME` in code of others.
   */
  readonly output: string;
  /** Whether values can be sent in binary. */
  readonly sends: boolean;
}

export interface TypeWithModifier {
  readonly oid: number;
  readonly modifier: number;
}

export type TypeCatalogue = ReadonlyMap<number, TypeFacts>;

/** `anyarray`, `record` and `record[]`: each value says itself of which types it is. */
export const OPEN_TYPES: readonly number[] = [2277, 2249, 2287];

/** What is set within `look` holds no longer than it. */
export function withinSavepoint(look: string): string {
  return `savepoint look; ${look} rollback to savepoint look; release savepoint look;`;
}

/**
 * Two results: what `format_type` says of the types, under the search path of the
 * session; and the facts of all types that their values can hold.
 */
export function catalogueQuery(types: readonly TypeWithModifier[]): string {
  const places = types.map(({ oid, modifier }, place) => `(${oid}::oid, ${modifier}, ${place})`);
  const first = `select unnest('{${types.map(({ oid }) => oid).join()}}'::oid[])`;
  const next =
    'select unnest(array[typelem, typbasetype, part] || fields) from facts join reached using (oid)';
  const isOpen = types.some(({ oid }) => OPEN_TYPES.includes(oid));
  return withinSavepoint(`
    set local quote_all_identifiers = off;
    select pg_catalog.json_agg(pg_catalog.format_type(oid, modifier) order by place) as found
      from (values ${places.join()}) as field (oid, modifier, place);
    set local search_path = pg_catalog;
    with recursive
      -- Not every server has multiranges, whose column is asked for by way of JSON.
      ranges as (select r.rngtypid, r.rngsubtype, (to_jsonb(r) ->> 'rngmultitypid')::oid as multirange from pg_range r),
      facts as not materialized (
        select t.oid, t.typtype, t.typelem, t.typdelim, t.typbasetype, t.typoutput, t.typsend,
            coalesce((select rngsubtype from ranges where rngtypid = t.oid),
              (select rngtypid from ranges where multirange = t.oid), 0) as part,
            array(select atttypid from pg_attribute
              where t.typtype = 'c' and attrelid = t.typrelid and attnum > 0 and not attisdropped) as fields
          from pg_type t),
      reached (oid) as (
        ${isOpen ? 'select oid from pg_type' : `${first} union ${next}`})
    select json_agg(json_build_object('oid', reached.oid::int8, 'type', typtype, 'element', typelem::int8, 'delimiter', typdelim,
        'base', typbasetype::int8, 'part', part::int8, 'fields', fields::int8[],
        'output', case p.prolang when 12 then '' else 'foreign ' end || p.prosrc, 'sends', typsend::oid <> 0)) as found
      from facts join reached using (oid) join pg_proc p on p.oid = typoutput;`);
}
