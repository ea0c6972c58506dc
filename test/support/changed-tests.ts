/**
 * Which test files a change concerns: those that are made of what changed, and those that
 * look at it from outside. And which have more cases than usual.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { sourcesOf } from './compile-tests.ts';

/**
 * The test files that changes since `commit` concern. What git does not know yet has
 * changed too.
 */
export async function concernedBy(commit: string, files: readonly string[]): Promise<string[]> {
  const git = (...args: string[]): string[] =>
    execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean);
  const changed = [
    ...git('diff', '--name-only', '--relative', commit),
    ...git('ls-files', '--others', '--exclude-standard'),
  ];
  return chooseConcerned(changed, await sourcesOf(files), source => readFileSync(source, 'utf8'));
}

/** The test files that take a part of their cases, unless they are asked for all. */
export async function withMoreCases(files: readonly string[]): Promise<string[]> {
  const sources = await sourcesOf(files);
  return [...sources].filter(([, parts]) => parts.includes(ALL_CASES_FILE)).map(([test]) => test);
}

const ALL_CASES_FILE = 'test/support/all-cases.ts';

/**
 * What is built from the sources, and what configures all: a change there may show
 * anywhere.
 */
const OF_ALL = /^(?:package(?:-lock)?\.json|tsconfig.*\.json|test\/support\/(?:run|compile|plan)-tests\.ts)$/;
const BUILT = /^(?:src|packaging|assembly)\//;
/** These look at files of the project without importing them. */
const READS_PROJECT = /^test\/(?:docs|deploy)\/|^test\/architecture|(?:guide|reference)\.test\.ts$/;

/** `sources` has for each test file the files that it is made of. */
export function chooseConcerned(
  changed: readonly string[],
  sources: ReadonlyMap<string, readonly string[]>,
  textOf: (source: string) => string,
): string[] {
  if (changed.length === 0) return [];
  const all = changed.some(file => OF_ALL.test(file));
  const built = changed.some(file => BUILT.test(file));
  const names = new Set(changed);
  const runsBuild = (source: string): boolean =>
    source.startsWith('test/') && /['/]dist\/bin/.test(textOf(source));
  return [...sources]
    .filter(
      ([test, parts]) =>
        all ||
        READS_PROJECT.test(path.normalize(test)) ||
        parts.some(part => names.has(part)) ||
        (built && parts.some(runsBuild)),
    )
    .map(([test]) => test);
}
