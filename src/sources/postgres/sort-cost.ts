/** What it costs the server to sort the rows of a query, as its planner sees it. */

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Plan Width': number;
  readonly Plans?: readonly PlanNode[];
}

/** As `explain` writes it in JSON. */
export type SortPlan = readonly { readonly Plan: PlanNode }[];

export function sortPlanQuery(query: string): string {
  return `explain (format json) ${query}`;
}

export const WORK_MEMORY_QUERY = `select pg_catalog.current_setting('work_mem')`;

export function sortCost(plan: SortPlan, workMemory: string): string {
  const { Plan: root } = plan[0]!;
  const { 'Plan Rows': rows, 'Plan Width': width } = root;
  const isSorted = nodesOf(root).some(node => node['Node Type'].includes('Sort'));
  if (!isSorted) return 'the server has an order to read the rows by, and sorts nothing';
  const estimated = `about ${rows} rows of ${width} bytes, ${megabytes(rows * width)} in all`;
  return `the server sorts ${estimated}; past its work_mem of ${workMemory} it does so on its disk`;
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function megabytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1024 ** 2))} MiB`;
}
