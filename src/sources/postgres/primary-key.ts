import { withinSavepoint } from './type-facts.ts';

/**
 * The columns of a table's primary key, in its order; `table` is its quoted name as a
 * literal.
 */
export function primaryKeyQuery(table: string): string {
  return withinSavepoint(`
    set local search_path = pg_catalog;
    select coalesce(json_agg(attname order by place), '[]') as found
      from pg_index
        cross join lateral unnest(indkey) with ordinality as part (number, place)
        join pg_attribute on attrelid = indrelid and attnum = part.number
      where indrelid = ${table}::regclass and indisprimary;`);
}
