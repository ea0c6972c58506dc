import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

export interface TestArguments {
  /** For node, values joined by `=`. */
  readonly flags: readonly string[];
  /** Existing files, sorted, each once. */
  readonly files: readonly string[];
  /** Arguments that named no file. */
  readonly unmatched: readonly string[];
  /** From here on the flags of our own: `--changed` and `--changed=COMMIT`. */
  readonly changedSince: string | undefined;
  readonly keepsDurations: boolean;
  /** Only the files that have more cases than usual, with all of them. */
  readonly allCases: boolean;
  /** Files below this folder have all of their cases, the others those of usual. */
  readonly allCasesBelow: string | undefined;
}

const DEFAULT_GLOB = 'test/**/*.test.ts';

/**
 * Flags of node --test whose value may be the next argument. Others take none, or join it
 * by `=`.
 */
const VALUED = new Set([
  '--test-concurrency',
  '--test-name-pattern',
  '--test-reporter',
  '--test-reporter-destination',
  '--test-shard',
  '--test-skip-pattern',
  '--test-timeout',
  '--import',
]);

/**
 * Separates flags from files, folders and globs, and expands these: `node --test` of Node
 * 20 does not.
 */
export function parseTestArguments(args: readonly string[], folder = process.cwd()): TestArguments {
  const flags: string[] = [];
  const patterns: string[] = [];
  let changedSince: string | undefined;
  let keepsDurations = false;
  let allCases = false;
  let allCasesBelow: string | undefined;
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? '';
    if (!arg.startsWith('-')) patterns.push(arg);
    else if (/^--changed(=.|$)/.test(arg)) changedSince = arg.split('=')[1] ?? 'HEAD';
    else if (arg === '--keep-durations') keepsDurations = true;
    else if (arg === '--all-cases') allCases = true;
    else if (/^--all-cases=./.test(arg)) allCasesBelow = path.normalize(`${arg.split('=')[1]}/`);
    else if (VALUED.has(arg)) flags.push(`${arg}=${args[++i] ?? ''}`);
    else flags.push(arg);
  }
  const files = new Set<string>();
  const unmatched: string[] = [];
  for (const pattern of patterns.length > 0 ? patterns : [DEFAULT_GLOB]) {
    const matches = expand(pattern, folder);
    if (matches.length === 0) unmatched.push(pattern);
    for (const match of matches) files.add(match);
  }
  return {
    flags,
    files: [...files].sort(),
    unmatched,
    changedSince,
    keepsDurations,
    allCases,
    allCasesBelow,
  };
}

function expand(pattern: string, folder: string): string[] {
  const kind = statSync(path.resolve(folder, pattern), { throwIfNoEntry: false });
  if (kind?.isFile()) return [pattern];
  const glob = kind?.isDirectory() ? path.join(pattern, '**/*.test.ts') : path.normalize(pattern);
  // What comes before the first wildcard is a folder to look in; node_modules is never
  // below test/.
  const fixed = glob.split('/').slice(
    0,
    glob.split('/').findIndex(part => /[*?]/.test(part)),
  );
  const root = path.resolve(folder, ...(fixed.length > 0 && glob.startsWith('/') ? ['/', ...fixed] : fixed));
  const matches = globToRegExp(glob);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map(name => path.join(...(glob.startsWith('/') ? ['/'] : []), ...fixed, name))
    .filter(name => matches.test(name));
}

function globToRegExp(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, token => {
    if (token === '**/') return '(?:.*/)?';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    return token === '?' ? '[^/]' : `\\${token}`;
  });
  return new RegExp(`^${source}$`);
}
