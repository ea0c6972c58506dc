/**
 * `npm test` takes a part of the large matrices and fewer random cases; `npm run faults`
 * runs the same files with all of them. A file that imports this one is among them.
 */
export const ALL_CASES_VARIABLE = 'SLUICE_TEST_CASES';

const takesAll = process.env[ALL_CASES_VARIABLE] === 'all';

/** All cases, or every n-th, the first one among them. */
export function everyNth<T>(n: number, cases: readonly T[]): readonly T[] {
  return takesAll ? cases : cases.filter((_, index) => index % n === 0);
}

/** So many random cases, or a tenth of them. */
export function someOf(count: number): number {
  return takesAll ? count : Math.ceil(count / 10);
}
