import { resolveActivation } from '../../config/activation.ts';
import { type LoadedConfig, parseConfig } from '../../config/load.ts';
import { previewActivation } from '../../run/preview.ts';

/** A table or a view that the role may read. */
export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  /** By the statistics; absent where there are none. */
  readonly rows?: number;
  /** Columns of the primary key; none for a view. */
  readonly key: readonly string[];
}

export interface Catalogue {
  readonly relations: readonly Relation[];
  /** Whether these are all. */
  readonly complete: boolean;
}

const MOST_RELATIONS = 500;

const RELATIONS = `
  select nspname::text, relname::text,
      case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
      case
        when relkind = 'p' then (
          select sum(greatest(part.reltuples, pg_stat_get_live_tuples(part.oid), 0))
            from pg_partition_tree(relation.oid) as tree join pg_class as part on part.oid = tree.relid
            where tree.isleaf)
        when relkind in ('r', 'm') and (reltuples > 0 or pg_stat_get_live_tuples(relation.oid) > 0)
          then greatest(reltuples, pg_stat_get_live_tuples(relation.oid))
      end::bigint::text,
      (select coalesce(json_agg(attname order by place), '[]')
        from pg_index
          cross join lateral unnest(indkey) with ordinality as part (number, place)
          join pg_attribute on attrelid = indrelid and attnum = part.number
        where indrelid = relation.oid and indisprimary)::text
    from pg_class as relation join pg_namespace as space on space.oid = relnamespace
    where relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition
      and nspname !~ '^pg_' and nspname <> 'information_schema'
      and has_schema_privilege(space.oid, 'usage') and has_table_privilege(relation.oid, 'select')
    order by nspname <> 'public', nspname, relname`;

/** Asks what there is to export. Rejects as a run would where it cannot be read. */
export async function readCatalogue(source: LoadedConfig, signal: AbortSignal): Promise<Catalogue> {
  const { rows, complete } = await query(source, RELATIONS, signal);
  const relations = rows.map(
    ([schema = '', name = '', kind = '', count, key]): Relation => ({
      schema: schema ?? '',
      name: name ?? '',
      kind: kind ?? '',
      ...(typeof count === 'string' && { rows: Number(count) }),
      key: JSON.parse(key ?? '[]'),
    }),
  );
  return { relations, complete };
}

/** Names of a relation's columns, in order. */
export async function columnsOf(
  source: LoadedConfig,
  { schema, name }: Relation,
  signal: AbortSignal,
): Promise<string[]> {
  const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  const { rows } = await query(
    source,
    `select attname::text from pg_attribute join pg_class as relation on relation.oid = attrelid
        join pg_namespace as space on space.oid = relnamespace
      where nspname = ${literal(schema)} and relname = ${literal(name)} and attnum > 0 and not attisdropped
      order by attnum`,
    signal,
  );
  return rows.map(([column]) => column ?? '');
}

/** A configuration with this source alone; throws CONFIG_INVALID. */
export function sourceAlone(url: string): LoadedConfig {
  const text = JSON.stringify({
    version: 1,
    sources: { warehouse: { type: 'postgres', url } },
    destinations: { here: { type: 'folder', path: '.' } },
    models: { catalogue: { source: 'warehouse', sql: 'select 1' } },
    activations: {
      catalogue: { model: 'catalogue', destination: 'here', fileName: 'catalogue', format: { type: 'csv' } },
    },
  });
  return parseConfig({ text, file: 'this URL' });
}

async function query({ config }: LoadedConfig, sql: string, signal: AbortSignal) {
  const activation = resolveActivation(config, 'catalogue');
  const model = { ...activation.model, sql };
  return previewActivation({ activation: { ...activation, model }, rows: MOST_RELATIONS, signal });
}
