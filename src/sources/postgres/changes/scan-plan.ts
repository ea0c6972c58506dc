import { withinSavepoint } from '../type-facts.ts';

/** A node of a plan, as `explain (format json)` shows it. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Schema?: string;
  readonly Alias?: string;
  readonly Output?: readonly string[];
  readonly Filter?: string;
  /** A condition that is looked at once, before all rows. */
  readonly 'One-Time Filter'?: string;
  /** How many inner nodes were left out when the plan began. */
  readonly 'Subplans Removed'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** One scan of one table: what it gives, and of which rows, in the server's words. */
export interface TableScan {
  readonly schema: string;
  readonly name: string;
  readonly alias: string;
  readonly output: readonly string[];
  readonly filter: string | undefined;
}

/**
 * The plan of a query in which every condition is part of a plain scan, so that equal
 * queries have equal plans.
 */
export function planQuery(query: string): string {
  return withinSavepoint(`
    set local quote_all_identifiers = off; set local max_parallel_workers_per_gather = 0; set local enable_seqscan = on;
    set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off;
    set local enable_tidscan = off; set local enable_partition_pruning = on;
    explain (verbose, costs off, format json) ${query};`);
}

/** What stands in the way of finding changed rows, by the node that does it. */
const OBSTACLES: Readonly<Record<string, string>> = {
  Limit: 'LIMIT or OFFSET',
  Sort: 'ORDER BY',
  Aggregate: 'an aggregate, GROUP BY or DISTINCT',
  Unique: 'DISTINCT',
  WindowAgg: 'a window function',
  'Nested Loop': 'a join',
  'Hash Join': 'a join',
  'Merge Join': 'a join',
  SetOp: 'INTERSECT or EXCEPT',
  ProjectSet: 'a function that returns rows',
  'Function Scan': 'a function that returns rows',
  'Table Function Scan': 'a function that returns rows',
  'Values Scan': 'VALUES',
  'CTE Scan': 'WITH',
  'Subquery Scan': 'a subquery',
  'Sample Scan': 'TABLESAMPLE',
  'Foreign Scan': 'a foreign table',
  LockRows: 'FOR UPDATE or FOR SHARE',
  Result: 'rows that are not of a table, or a condition that does not look at them',
};

/** What a node does that is not a plain scan, in words. */
export function planNodeName({ 'Node Type': type }: PlanNode): string {
  return OBSTACLES[type] ?? `what its plan calls ${type}`;
}

/** The scans of a plan that does nothing else, or what else it does. */
export function scansOf(plan: PlanNode): readonly TableScan[] | string {
  const { Plans: inner = [], 'Node Type': type } = plan;
  // No row can be in any partition, or there is none.
  if (type === 'Result' && plan['One-Time Filter'] === 'false' && inner.length === 0) return [];
  if ((plan['Subplans Removed'] ?? 0) > 0) return 'partitions that are chosen when it begins';
  if (type === 'Append') {
    const found = inner.map(scansOf);
    return found.find(scans => typeof scans === 'string') ?? found.flatMap(scans => scans as TableScan[]);
  }
  if (type !== 'Seq Scan') return planNodeName(plan);
  if (inner.length > 0) return 'a subquery in an expression';
  const { Schema: schema = '', 'Relation Name': name = '', Alias: alias = name, Output: output = [] } = plan;
  return [{ schema, name, alias, output, filter: plan.Filter }];
}
