import { withinSavepoint } from './type-facts.ts';

/**
 * By the output function of a type whose values name objects: the catalogue that holds
 * them, and the type.
 */
const CATALOGUES: Readonly<Record<string, readonly [catalogue: string, type: string]>> = {
  regclassout: ['pg_class', 'regclass'],
  regcollationout: ['pg_collation', 'regcollation'],
  regconfigout: ['pg_ts_config', 'regconfig'],
  regdictionaryout: ['pg_ts_dict', 'regdictionary'],
  regnamespaceout: ['pg_namespace', 'regnamespace'],
  regoperatorout: ['pg_operator', 'regoperator'],
  regoperout: ['pg_operator', 'regoper'],
  regprocedureout: ['pg_proc', 'regprocedure'],
  regprocout: ['pg_proc', 'regproc'],
  regroleout: ['pg_roles', 'regrole'],
  regtypeout: ['pg_type', 'regtype'],
};

export const OBJECT_OUTPUTS: readonly string[] = Object.keys(CATALOGUES);

/** The texts of objects by their oid, by the output function of a type. */
export type ObjectNames = ReadonlyMap<string, Readonly<Record<string, string>>>;

/**
 * What `objectNamesOf` makes of the results: all objects, with their schema where it is
 * another than `pg_catalog`.
 */
export function objectNamesQuery(outputs: readonly string[]): string {
  const queries = outputs.map(output => {
    const [catalogue, type] = CATALOGUES[output]!;
    return `select json_object_agg(oid::text, oid::${type}::text) as found from ${catalogue};`;
  });
  return withinSavepoint(
    `set local search_path = pg_catalog; set local quote_all_identifiers = off; ${queries.join('')}`,
  );
}

export function objectNamesOf(
  outputs: readonly string[],
  found: readonly Readonly<Record<string, string>>[],
): ObjectNames {
  return new Map(outputs.map((output, index) => [output, found[index]!]));
}
