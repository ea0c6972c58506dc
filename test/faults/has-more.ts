/**
 * In `npm run faults` the matrices of kills have all their cases, in `npm test` those
 * with steps of their own.
 */
export function hasMore(): boolean {
  return process.env['SLUICE_FAULTS'] !== undefined;
}
