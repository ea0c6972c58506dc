/**
 * `npm test` takes a part of the large matrices and fewer random cases; `npm run faults`
 * runs the same files with all of them. A file that imports this one is among them.
 */
const VARIABLE = 'SLUICE_TEST_CASES';

/** From now on in this process, and in those that it starts. */
export function takeAllCases(): void {
  process.env[VARIABLE] = 'all';
}

/** All cases, or every n-th, the first one among them. */
export function everyNth<T>(n: number, cases: readonly T[]): readonly T[] {
  return takesAll() ? cases : cases.filter((_, index) => index % n === 0);
}

/** So many random cases, or a tenth of them. */
export function someOf(count: number): number {
  return takesAll() ? count : Math.ceil(count / 10);
}

function takesAll(): boolean {
  return process.env[VARIABLE] === 'all';
}
