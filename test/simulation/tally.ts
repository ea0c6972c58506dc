/** How often what happened. */
export interface Tally {
  steps: number;
  starts: number;
  crashes: number;
  done: number;
  recovered: number;
  /** By error code. */
  readonly failed: Record<string, number>;
}

export function newTally(): Tally {
  return { steps: 0, starts: 0, crashes: 0, done: 0, recovered: 0, failed: {} };
}

export function addTo(total: Tally, { steps, starts, crashes, done, recovered, failed }: Tally): void {
  total.steps += steps;
  total.starts += starts;
  total.crashes += crashes;
  total.done += done;
  total.recovered += recovered;
  for (const [code, times] of Object.entries(failed)) total.failed[code] = (total.failed[code] ?? 0) + times;
}
