import { type PlanNode, planNodeName } from '../changes/scan-plan.ts';
import { type ModelQuery, type ModelTable, quotedTable } from '../model-query.ts';
import { withinSavepoint } from '../type-facts.ts';
import { looksAtTime, ownFunctionsQuery } from './condition-time.ts';

/** How a source is asked about its table. */
export interface TableLook {
  readonly table: ModelTable;
  /** What the selects among several statements found, which is one value each. */
  look<Found extends unknown[]>(statements: string): Promise<Found>;
  literal(text: string): string;
}

export interface TableSize {
  /** `pg_class.relkind`. */
  readonly kind: string;
  /** How its rows are kept; absent where it has none of its own. */
  readonly method: string | null;
  readonly isInherited: boolean;
  readonly pages: number;
  /** With what is kept beside its pages, as large values are. */
  readonly bytes: number;
}

export async function tableSize({ table, look, literal }: TableLook): Promise<TableSize> {
  const [size] = await look<[TableSize]>(
    withinSavepoint(`
    set local search_path = pg_catalog;
    select json_build_object('kind', relkind, 'method', amname,
        'isInherited', exists (select from pg_inherits where inhparent = c.oid),
        'pages', pg_relation_size(c.oid) / current_setting('block_size')::bigint, 'bytes', pg_table_size(c.oid)) as found
      from pg_class c left join pg_am a on a.oid = relam where c.oid = ${literal(quotedTable(table))}::regclass;`),
  );
  return size;
}

/** How the server would find the rows of a query, with these settings. */
export async function planOf(
  { text }: ModelQuery,
  settings: string,
  { look }: Pick<TableLook, 'look'>,
): Promise<PlanNode> {
  const [[{ Plan }]] = await look<[[{ readonly Plan: PlanNode }]]>(
    withinSavepoint(`${settings} explain (costs off, format json) ${text};`),
  );
  return Plan;
}

const KINDS: Readonly<Record<string, string>> = {
  p: 'is partitioned',
  v: 'is a view',
  f: 'is a foreign table',
};

/** Why the rows of a table are not all on pages of its own. */
export function unfitTable({ kind, method, isInherited }: TableSize): string | undefined {
  if (kind !== 'r' && kind !== 'm') return `the table ${KINDS[kind] ?? 'has no pages'}`;
  if (method !== 'heap') return `the table is kept by the access method ${method}`;
  return isInherited ? 'other tables inherit from the table' : undefined;
}

/**
 * What one reader does better than to go through the whole table, or does alike in no two
 * parts of it.
 */
export async function unfitQuery(
  query: ModelQuery,
  { look, literal }: Pick<TableLook, 'look' | 'literal'>,
): Promise<string | undefined> {
  const plan = await planOf(query, 'set local max_parallel_workers_per_gather = 0;', { look });
  if (plan['Node Type'] !== 'Seq Scan') return `the server finds its rows by ${planNodeName(plan)}`;
  if (plan.Plans !== undefined) return 'the condition has a subquery';
  const condition = { written: query.userTexts.map(({ text }) => text), planned: plan.Filter ?? '' };
  if (looksAtTime(condition))
    return 'the condition depends on the time, and each reader has a time of its own';
  const functions = ownFunctionsQuery(condition, literal);
  const [mayDepend] = functions === undefined ? [false] : await look<[boolean]>(functions);
  return mayDepend
    ? 'the condition calls a function of the database, which may depend on the time'
    : undefined;
}
