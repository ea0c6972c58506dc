import type { RunRecord } from './run-record.ts';

/** For those who may not see rows, and where nobody asks for them. */
export function withoutSample({ sample, ...record }: RunRecord): RunRecord {
  return record;
}
