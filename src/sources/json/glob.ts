import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** More patterns than any person means: `{a,b}` twenty times over is a million. */
const MAX_PATTERNS = 1_000;

/**
 * Files that an absolute path or glob names, in order of their names. A path that is a
 * file is that file, whatever characters it has; otherwise `*` and `?` match within a
 * name, `**` any number of folders, `{a,b}` either text. As in a shell, a wildcard does
 * not match a leading dot, and `**` does not follow links to folders.
 *
 * Rejects with the error of the file system where a folder cannot be listed.
 */
export async function findFiles(pattern: string): Promise<string[]> {
  if ((await kindOf(pattern)) === 'other') return [pattern];
  const found = new Set<string>();
  for (const one of expandBraces(pattern)) {
    const [root = '', ...segments] = one.split(sep === '\\' ? /[\\/]/ : '/');
    await walk(
      root === '' ? sep : root + sep,
      segments.filter(segment => segment !== ''),
      found,
    );
  }
  return [...found].sort();
}

/**
 * The patterns that `{a,b}` stands for, inner braces included. Braces that are no list
 * stay as they are.
 */
export function expandBraces(pattern: string): string[] {
  const expanded: string[] = [];
  const waiting = [pattern];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const list = innermostList(one);
    if (list === undefined) expanded.push(one);
    else for (const choice of list.choices.reverse()) waiting.push(list.before + choice + list.after);
    if (waiting.length + expanded.length > MAX_PATTERNS)
      throw new RangeError(`the braces stand for more than ${MAX_PATTERNS} patterns`);
  }
  return [...new Set(expanded)];
}

function innermostList(pattern: string): { before: string; choices: string[]; after: string } | undefined {
  const match = /\{([^{},]*(?:,[^{},]*)+)\}/.exec(pattern);
  if (match === null) return undefined;
  return {
    before: pattern.slice(0, match.index),
    choices: match[1]!.split(','),
    after: pattern.slice(match.index + match[0].length),
  };
}

/** Whether a name, without slashes, matches a segment of a glob. */
export function matchesSegment(name: string, segment: string): boolean {
  if (name.startsWith('.') && !segment.startsWith('.')) return false;
  const characters = [...name];
  const wanted = [...segment];
  let at = 0;
  let next = 0;
  // Where the last star stands, and what it has taken so far: the only choice ever taken
  // back.
  let star = -1;
  let taken = 0;
  while (at < characters.length) {
    if (wanted[next] === '*') {
      star = next++;
      taken = at;
    } else if (wanted[next] === '?' || (next < wanted.length && wanted[next] === characters[at])) {
      at++;
      next++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  while (wanted[next] === '*') next++;
  return next === wanted.length;
}

async function walk(folder: string, segments: readonly string[], found: Set<string>): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  if (segment === '**') {
    await walk(folder, rest.length === 0 ? ['*'] : rest, found);
    for (const entry of await entriesOf(folder)) {
      if (entry.isDirectory() && !entry.name.startsWith('.'))
        await walk(join(folder, entry.name), segments, found);
    }
    return;
  }
  const names = /[*?]/.test(segment)
    ? (await entriesOf(folder)).map(entry => entry.name).filter(name => matchesSegment(name, segment))
    : [segment];
  for (const name of names) {
    const path = join(folder, name);
    if (rest.length > 0) await walk(path, rest, found);
    // A name that is a dangling link counts: reading it says what is wrong, leaving it
    // out would not.
    else if (names.length > 0 && name !== segment) {
      if ((await kindOf(path)) !== 'folder') found.add(path);
    } else if ((await kindOf(path)) === 'other') found.add(path);
  }
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

async function kindOf(path: string): Promise<'absent' | 'folder' | 'other'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (isAbsent(error)) return 'absent';
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
