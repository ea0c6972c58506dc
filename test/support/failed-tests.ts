/**
 * What the end of a log says of the tests that failed or were cancelled: it is all that
 * is kept of a long one.
 */
import path from 'node:path';

/** What node:test reports of a test that failed, as far as we use it. */
export interface FailedTest {
  readonly name: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly details: { readonly error: Error & { readonly failureType?: string; readonly cause?: unknown } };
}

/**
 * Two lines for each: its name, and its place with the first line of its error. A test
 * that failed by its subtests is left out, for they are shown.
 */
export function describeFailures(failed: readonly FailedTest[]): string[] {
  const own = failed.filter(({ details }) => details.error.failureType !== 'subtestsFailed');
  if (own.length === 0) return [];
  return [
    'failed or cancelled:',
    ...own.flatMap(test => [`  ${nameOf(test)}`, `    ${placeOf(test)}: ${firstLine(test.details.error)}`]),
  ];
}

/** A process that ended badly is named by the program that it ran. */
function nameOf({ name }: FailedTest): string {
  return path.isAbsolute(name) ? `the process of ${relative(name)}` : name;
}

function placeOf({ file, line }: FailedTest): string {
  return file === undefined ? 'somewhere' : `${relative(file)}:${line}`;
}

function relative(file: string): string {
  return path.relative('.', file).replace(/^node_modules\/\.cache\/[^/]+\/\d+\//, '');
}

function firstLine({ message, cause }: FailedTest['details']['error']): string {
  const text = cause instanceof Error ? cause.message : message;
  return text.trimStart().split('\n', 1)[0]!;
}
