/**
 * Whether two file name templates could ever give the same blob name.
 *
 * A template becomes a pattern: literal characters, digits where the clock goes, word
 * characters where the run's id goes. Two patterns are followed side by side; if both can
 * be at their end together, the text on the way is a name that both could give.
 */

import {
  dependsOnKind,
  type FileChange,
  type FileKind,
  type Placeholder,
  parseTemplate,
  splitExtension,
  type TemplateToken,
} from '../file-name.ts';
import { escapePartition } from '../partition-name.ts';

/**
 * One step of a pattern: the characters it takes, and whether it may take more of them.
 */
export interface Step {
  readonly characters: string;
  readonly repeats: boolean;
  /** Takes every character but `/`; those that are listed are for examples. */
  readonly isAny?: true;
  /** Stands for the value of a column, which differs within a run. */
  readonly isColumn?: true;
}

const DIGITS = '0123456789';
const RUN_ID_CHARACTERS = `${DIGITS}abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_`;

/** Unix times have 10 and 13 digits from 2001 to 2286. */
const CLOCK_DIGITS: Readonly<Partial<Record<Placeholder, number>>> = {
  YYYY: 4,
  YY: 2,
  MM: 2,
  DD: 2,
  HH: 2,
  mm: 2,
  ss: 2,
  ms: 3,
  X: 10,
  x: 13,
};

/** The patterns of every file that an activation may write. */
export interface NamePatterns {
  /** How each of them begins, and as much of that as is the same in every run. */
  readonly stem: readonly Step[];
  readonly beginning: string;
  readonly patterns: readonly NamePattern[];
}

interface NamePattern {
  readonly steps: readonly Step[];
  /** Where the id of the run stands, where that is always the same place. */
  readonly runPlace: string | undefined;
}

export interface NameSource {
  /** Normalized: '' or with a trailing `/`. */
  readonly folder: string;
  readonly template: string;
  readonly extension: string;
  readonly activation: string;
  readonly model: string;
  readonly mode: string;
  /** Default both. */
  readonly kinds?: readonly FileKind[];
  /** Columns that files are partitioned by. */
  readonly partitionBy?: readonly string[] | undefined;
}

export function literal(text: string): Step[] {
  return [...text].map(characters => ({ characters, repeats: false }));
}

export function isSlash({ characters }: Step): boolean {
  return characters === '/';
}

function digits(count: number): Step[] {
  return Array.from({ length: count }, () => ({ characters: DIGITS, repeats: false }));
}

/** Part numbers have five digits or more. */
const PART_NUMBER: readonly Step[] = [...digits(4), { characters: DIGITS, repeats: true }];

/** The value of a parameter: nobody knows what is in it, but it is no folder. */
const PARAMETER: Step = { characters: `${RUN_ID_CHARACTERS}%`, repeats: true, isAny: true };
const COLUMN: Step = { ...PARAMETER, isColumn: true };

const CHANGES: readonly FileChange[] = ['added', 'updated', 'removed'];

/** Throws FILE_NAME_INVALID for a bad template. */
export function namePatterns(source: NameSource): NamePatterns {
  const { kinds = ['full', 'delta'] } = source;
  const [first, ...others] = kinds.map(kind => patternsOf(source, kind));
  if (first === undefined) throw new TypeError('a name is of some kind');
  if (!dependsOnKind(source.template)) return first;
  // What all have in common, before anything depends on the kind.
  const differs = first.stem.findIndex((step, at) =>
    others.some(({ stem }) => stem[at]?.characters !== step.characters),
  );
  const stem = differs < 0 ? first.stem : first.stem.slice(0, differs);
  const patterns = [first, ...others].flatMap(named => named.patterns);
  return { stem, beginning: beginningOf(stem), patterns };
}

function beginningOf(stem: readonly Step[]): string {
  const varying = stem.findIndex(({ characters }) => characters.length > 1);
  const fixed = varying < 0 ? stem : stem.slice(0, varying);
  return fixed.map(({ characters }) => characters).join('');
}

/** The steps that a token of a template stands for. */
export function stepsOf(token: TemplateToken, source: NameSource, kind: FileKind): readonly Step[] {
  if ('literal' in token) return literal(token.literal);
  if ('column' in token) return [COLUMN];
  const { placeholder } = token;
  if (placeholder === 'run') return [{ characters: RUN_ID_CHARACTERS, repeats: true }];
  if (placeholder === 'part') return PART_NUMBER;
  if (placeholder.startsWith('param.')) return [PARAMETER];
  const count = CLOCK_DIGITS[placeholder];
  if (count !== undefined) return digits(count);
  return literal(placeholder === 'kind' ? kind : source[placeholder as 'activation' | 'model' | 'mode']);
}

/**
 * Counts the folders before the id of the run, and the characters before it in its own
 * segment. It has no such place behind something of any length in that segment.
 */
function runPlaceOf(steps: readonly Step[]): string | undefined {
  const run = steps.findIndex(({ characters }) => characters === RUN_ID_CHARACTERS);
  const before = steps.slice(0, Math.max(0, run));
  const slashes = before.filter(isSlash).length;
  const segment = before.slice(before.findLastIndex(isSlash) + 1);
  return run < 0 || segment.some(({ repeats }) => repeats) ? undefined : `${slashes} ${segment.length}`;
}

/** Patterns of one kind of name, with what all of them begin with. */
export function patternsFrom(stem: readonly Step[], names: readonly (readonly Step[])[]): NamePatterns {
  const patterns = names.map(steps => ({ steps, runPlace: runPlaceOf(steps) }));
  return { stem, beginning: beginningOf(stem), patterns };
}

/** Folders that hold the values of a partition, where the template names no column. */
function partitionFolders(tokens: readonly TemplateToken[], by: readonly string[] = []): Step[] {
  if (tokens.some(token => 'column' in token)) return [];
  return by.flatMap(column => [...literal(`${escapePartition(column)}=`), COLUMN, ...literal('/')]);
}

function patternsOf(source: NameSource, kind: FileKind): NamePatterns {
  const { stem, extension } = splitExtension(source.template, source.extension);
  const tokens = parseTemplate(stem);
  const plain = [...literal(source.folder), ...tokens.flatMap(token => stepsOf(token, source, kind))];
  const last = plain.findLastIndex(isSlash) + 1;
  const folders = partitionFolders(tokens, source.partitionBy);
  const steps = [...plain.slice(0, last), ...folders, ...plain.slice(last)];
  const numbered = tokens.some(token => 'placeholder' in token && token.placeholder === 'part');
  const changes = source.mode === 'difference' ? CHANGES.map(change => `_${change}`) : [''];
  const partSuffixes = numbered ? [[]] : [[], [...literal('_part'), ...PART_NUMBER]];
  const names = changes.flatMap(change =>
    partSuffixes.map(part => [...steps, ...literal(change), ...part, ...literal(extension)]),
  );
  return patternsFrom(steps, names);
}

export interface NamedFiles {
  /** Identity of the container: names in two containers never collide. */
  readonly container: string;
  readonly patterns: NamePatterns;
  /**
   * Whose they are: one run may write both of two that have the same, and then with one
   * id.
   */
  readonly owner?: string;
}

function commonCharacter(a: Step, b: Step): string | undefined {
  if (a.isAny) return [...b.characters].find(character => character !== '/');
  if (b.isAny) return commonCharacter(b, a);
  if (a.characters.length === 1 && b.characters.length === 1)
    return a.characters === b.characters ? a.characters : undefined;
  const [few, many] = a.characters.length <= b.characters.length ? [a, b] : [b, a];
  return [...few.characters].find(character => many.characters.includes(character));
}

/**
 * Whether the stems part before anything in them repeats: nearly all pairs do, and
 * nothing has to be searched then. A configuration is compared each with each.
 */
function partEarly(a: readonly Step[], b: readonly Step[]): boolean {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const stepA = a[at]!;
    const stepB = b[at]!;
    if (stepA.repeats || stepB.repeats) return false;
    if (stepA.characters !== stepB.characters && commonCharacter(stepA, stepB) === undefined) return true;
  }
  return false;
}

/** A name that both could give, or undefined when there is none. */
function commonName(some: NamedFiles, others: NamedFiles): string | undefined {
  if (partEarly(some.patterns.stem, others.patterns.stem)) return undefined;
  const isOneRun = some.owner !== undefined && some.owner === others.owner;
  for (const a of some.patterns.patterns) {
    for (const b of others.patterns.patterns) {
      const common = commonNameOf(a, b, isOneRun);
      if (common !== undefined) return common;
    }
  }
  return undefined;
}

function commonNameOf(a: NamePattern, b: NamePattern, isOneRun: boolean): string | undefined {
  // Ids of runs are unique and of one length: at the same place they make the names
  // differ.
  if (!isOneRun && a.runPlace !== undefined && a.runPlace === b.runPlace) return undefined;

  const width = b.steps.length + 1;
  const visited = new Set<number>();
  const open: { i: number; j: number; name: string }[] = [{ i: 0, j: 0, name: '' }];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const { i, j, name } = state;
    if (visited.has(i * width + j)) continue;
    visited.add(i * width + j);
    const stepA = a.steps[i];
    const stepB = b.steps[j];
    if (stepA === undefined && stepB === undefined) return name;
    const character = stepA && stepB && commonCharacter(stepA, stepB);
    if (stepA === undefined || stepB === undefined || character === undefined) continue;
    const next = name + character;
    if (stepA.repeats) open.push({ i, j: j + 1, name: next });
    if (stepB.repeats) open.push({ i: i + 1, j, name: next });
    open.push({ i: i + 1, j: j + 1, name: next });
  }
  return undefined;
}

/** Two that could both give a name. */
export interface Meeting<Files> {
  readonly first: Files;
  readonly second: Files;
  readonly example: string;
}

/** Every two that meet, in the order in which they were given. */
export function meetings<Files extends NamedFiles>(named: readonly Files[]): Meeting<Files>[] {
  const places = named.map(({ container, patterns }, place) => ({
    place,
    text: `${container}\n${patterns.beginning}`,
  }));
  // What begins with a text follows it: nothing else has to be compared with it.
  places.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  const found: { a: number; b: number; example: string }[] = [];
  for (const [index, { place, text }] of places.entries()) {
    for (let after = index + 1; places[after]?.text.startsWith(text); after++) {
      const other = places[after]!.place;
      const [a, b] = place < other ? [place, other] : [other, place];
      const example = commonName(named[a]!, named[b]!);
      if (example !== undefined) found.push({ a, b, example });
    }
  }
  found.sort((one, two) => one.b - two.b || one.a - two.a);
  return found.map(({ a, b, example }) => ({ first: named[a]!, second: named[b]!, example }));
}
