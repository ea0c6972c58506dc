import type { Column } from '../../../row-batch.ts';
import type { Divided, Slice, SliceFinder } from '../../source.ts';
import { type PlanNode, planNodeName } from '../changes/scan-plan.ts';
import { type ModelQuery, type ModelTable, quotedTable } from '../model-query.ts';
import { withinSavepoint } from '../type-facts.ts';
import { looksAtTime, ownFunctionsQuery, type ShownCondition } from './condition-time.ts';

/** The table, and what its source lends. */
export interface PostgresSlicesParts {
  readonly table: ModelTable;
  /** The server's major version. */
  readonly version: number;
  /** What a reader is made of that takes a snapshot of that id. */
  readerOptions(snapshot: string): Promise<unknown>;
  /** The query of the run, of one slice where there is one. */
  queryOf(columns: readonly Column[], slice?: Slice): ModelQuery;
  /** What the selects among several statements found, which is one value each. */
  look<Found extends unknown[]>(statements: string): Promise<Found>;
  literal(text: string): string;
  /** Rejects when the connection is lost that holds the snapshot. */
  readonly lost: Promise<never>;
}

/** It knows the Tid Range Scan. */
const FIRST_VERSION = 14;
const SLICE_BYTES = 8 * 1024 * 1024;
const MAX_SLICES = 40_000;

/**
 * Whoever reads a slice lets the server find its pages by their numbers: every other way
 * would look at the whole table for each of them.
 */
export const SLICE_SETTINGS =
  'set local enable_tidscan = on; set local enable_seqscan = off; set local enable_indexscan = off; ' +
  'set local enable_indexonlyscan = off; set local enable_bitmapscan = off; set local max_parallel_workers_per_gather = 0;';

interface TableSize {
  /** `pg_class.relkind`. */
  readonly kind: string;
  /** How its rows are kept; absent where it has none of its own. */
  readonly method: string | null;
  readonly isInherited: boolean;
  readonly pages: number;
  /** With what is kept beside its pages, as large values are. */
  readonly bytes: number;
}

/**
 * Slices of one table by the pages that its rows are on. A row version that a snapshot
 * sees stays where it is for as long as that snapshot is held, so that slices of one
 * snapshot hold every row once, whatever is written meanwhile; pages that are added hold
 * nothing that it sees.
 */
export class PostgresSlices implements SliceFinder {
  readonly #parts: PostgresSlicesParts;

  constructor(parts: PostgresSlicesParts) {
    this.#parts = parts;
  }

  get lost(): Promise<never> {
    return this.#parts.lost;
  }

  async divide(columns: readonly Column[]): Promise<Divided> {
    const { version, table, look, literal, queryOf, readerOptions } = this.#parts;
    if (version < FIRST_VERSION)
      return { unfit: `the server is PostgreSQL ${version}, and ${FIRST_VERSION} or later is needed` };
    if ((queryOf(columns).parameters ?? []).length > 0) return { unfit: 'the condition has parameters' };
    const [size] = await look<[TableSize]>(tableSizeQuery(literal(quotedTable(table))));
    const unfit = unfitTable(size) ?? (await this.#unfitPlan(columns));
    if (unfit !== undefined) return { unfit };
    const { slices, sliceBytes } = slicesOf(size);
    const tid = await this.#planOf(queryOf(columns, slices[0]), SLICE_SETTINGS);
    if (tid['Node Type'] !== 'Tid Range Scan' || tid.Plans !== undefined)
      return { unfit: `the server reads a range of its pages by ${planNodeName(tid)}` };
    const [snapshot] = await look<[string]>('select pg_catalog.pg_export_snapshot() as found');
    return { slices, sliceBytes, readerOptions: await readerOptions(snapshot) };
  }

  /** What one reader does better than to go through all pages. */
  async #unfitPlan(columns: readonly Column[]): Promise<string | undefined> {
    const query = this.#parts.queryOf(columns);
    const plan = await this.#planOf(query, 'set local max_parallel_workers_per_gather = 0;');
    if (plan['Node Type'] !== 'Seq Scan') return `the server finds its rows by ${planNodeName(plan)}`;
    if (plan.Plans !== undefined) return 'the condition has a subquery';
    return this.#unfitCondition({
      written: query.userTexts.map(({ text }) => text),
      planned: plan.Filter ?? '',
    });
  }

  async #unfitCondition(condition: ShownCondition): Promise<string | undefined> {
    const { look, literal } = this.#parts;
    if (looksAtTime(condition))
      return 'the condition depends on the time, and each reader has a time of its own';
    const functions = ownFunctionsQuery(condition, literal);
    const [mayDepend] = functions === undefined ? [false] : await look<[boolean]>(functions);
    return mayDepend
      ? 'the condition calls a function of the database, which may depend on the time'
      : undefined;
  }

  async #planOf({ text }: ModelQuery, settings: string): Promise<PlanNode> {
    const { look } = this.#parts;
    const [[{ Plan }]] = await look<[[{ readonly Plan: PlanNode }]]>(
      withinSavepoint(`${settings} explain (costs off, format json) ${text};`),
    );
    return Plan;
  }
}

/** The query whose result is one `TableSize`; `table` is its quoted name as a literal. */
function tableSizeQuery(table: string): string {
  return withinSavepoint(`
    set local search_path = pg_catalog;
    select json_build_object('kind', relkind, 'method', amname,
        'isInherited', exists (select from pg_inherits where inhparent = c.oid),
        'pages', pg_relation_size(c.oid) / current_setting('block_size')::bigint, 'bytes', pg_table_size(c.oid)) as found
      from pg_class c left join pg_am a on a.oid = relam where c.oid = ${table}::regclass;`);
}

const KINDS: Readonly<Record<string, string>> = {
  p: 'is partitioned',
  v: 'is a view',
  f: 'is a foreign table',
};

function unfitTable({ kind, method, isInherited, pages, bytes }: TableSize): string | undefined {
  if (kind !== 'r' && kind !== 'm') return `the table ${KINDS[kind] ?? 'has no pages'}`;
  if (method !== 'heap') return `the table is kept by the access method ${method}`;
  if (isInherited) return 'other tables inherit from the table';
  return pages === 1 && bytes >= 2 * SLICE_BYTES ? 'all rows of the table are on one page' : undefined;
}

/** By pages, so that each has about as many bytes, large values included. */
function slicesOf({ pages, bytes }: TableSize): { slices: Slice[]; sliceBytes: number } {
  const count = Math.max(1, Math.min(Math.floor(bytes / SLICE_BYTES), MAX_SLICES, pages));
  const startOf = (index: number): number => Math.floor((pages * index) / count);
  const slices = Array.from({ length: count }, (_, index): Slice => {
    const from = startOf(index);
    return index === count - 1 ? { from } : { from, to: startOf(index + 1) };
  });
  return { slices, sliceBytes: Math.round(bytes / count) };
}
