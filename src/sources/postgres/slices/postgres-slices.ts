import type { Column } from '../../../row-batch.ts';
import type { Divided, Slice, SliceFinder } from '../../source.ts';
import { planNodeName } from '../changes/scan-plan.ts';
import type { ModelQuery } from '../model-query.ts';
import { planOf, type TableLook, type TableSize, tableSize, unfitQuery, unfitTable } from './whole-table.ts';

/** The table, and what its source lends. */
export interface PostgresSlicesParts extends TableLook {
  /** The server's major version. */
  readonly version: number;
  /** What a reader is made of that takes a snapshot of that id. */
  readerOptions(snapshot: string): Promise<unknown>;
  /** The query of the run; with a condition that leaves only rows of which it holds. */
  queryOf(columns: readonly Column[], condition?: string): ModelQuery;
  /** Rejects when the connection is lost that holds the snapshot. */
  readonly lost: Promise<never>;
}

/** It knows the Tid Range Scan. */
const FIRST_VERSION = 14;
const SLICE_BYTES = 8 * 1024 * 1024;
/** The last slices are smaller, so that no reader reads much alone in the end. */
const SMALLEST_BYTES = 1024 * 1024;
/** What is left is so many slices for each reader, down to the smallest. */
const SLICES_TO_COME = 3;
const MAX_SLICES = 40_000;

/**
 * Whoever reads a slice lets the server find its pages by their numbers: every other way
 * would look at the whole table for each of them.
 */
export const SLICE_SETTINGS =
  'set local enable_tidscan = on; set local enable_seqscan = off; set local enable_indexscan = off; ' +
  'set local enable_indexonlyscan = off; set local enable_bitmapscan = off; set local max_parallel_workers_per_gather = 0;';

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

  async divide(columns: readonly Column[], readers: number): Promise<Divided> {
    const { version, look, queryOf, readerOptions } = this.#parts;
    if (version < FIRST_VERSION)
      return { unfit: `the server is PostgreSQL ${version}, and ${FIRST_VERSION} or later is needed` };
    if ((queryOf(columns).parameters ?? []).length > 0) return { unfit: 'the condition has parameters' };
    const size = await tableSize(this.#parts);
    const unfit = unfitTable(size) ?? unfitPages(size) ?? (await unfitQuery(queryOf(columns), this.#parts));
    if (unfit !== undefined) return { unfit };
    const { slices, sliceBytes } = slicesOf(size, readers);
    const tid = await planOf(queryOf(columns, onPages(slices[0]!)), SLICE_SETTINGS, this.#parts);
    if (tid['Node Type'] !== 'Tid Range Scan' || tid.Plans !== undefined)
      return { unfit: `the server reads a range of its pages by ${planNodeName(tid)}` };
    const [snapshot] = await look<[string]>('select pg_catalog.pg_export_snapshot() as found');
    return { slices, sliceBytes, readerOptions: await readerOptions(snapshot) };
  }
}

/** The condition that leaves only rows of that slice. */
export function onPages({ from, to }: Slice): string {
  const compared = (operator: string, page: number): string =>
    `ctid operator(pg_catalog.${operator}) '(${page},0)'::pg_catalog.tid`;
  return to === undefined ? compared('>=', from) : `${compared('>=', from)} and ${compared('<', to)}`;
}

function unfitPages({ pages, bytes }: TableSize): string | undefined {
  return pages === 1 && bytes >= 2 * SLICE_BYTES ? 'all rows of the table are on one page' : undefined;
}

/** By pages; large values beside them count. */
function slicesOf({ pages, bytes }: TableSize, readers: number): { slices: Slice[]; sliceBytes: number } {
  if (bytes < 2 * SLICE_BYTES) return { slices: [{ from: 0 }], sliceBytes: bytes };
  const largest = Math.max(SLICE_BYTES, bytes / MAX_SLICES);
  const pageBytes = bytes / pages;
  const slices: Slice[] = [];
  let sliceBytes = 0;
  for (let from = 0; from < pages; ) {
    const fair = ((pages - from) * pageBytes) / (SLICES_TO_COME * readers);
    const wanted = Math.min(largest, Math.max(SMALLEST_BYTES, fair));
    const to = from + Math.max(1, Math.round(wanted / pageBytes));
    slices.push(to < pages ? { from, to } : { from });
    sliceBytes = Math.max(sliceBytes, (Math.min(to, pages) - from) * pageBytes);
    from = to;
  }
  return { slices, sliceBytes: Math.round(sliceBytes) };
}
