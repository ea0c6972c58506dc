/**
 * Whether two file name templates could ever give the same blob name.
 *
 * A template becomes a pattern: literal characters, digits where the clock goes, word characters where the run's id
 * goes. Two patterns are followed side by side; if both can be at their end together, the text on the way is a name
 * that both could give.
 */

import { type FileChange, type Placeholder, parseTemplate, splitExtension } from './file-name.ts';

/** One step of a pattern: the characters it takes, and whether it may take more of them. */
interface Step {
  readonly characters: string;
  readonly repeats: boolean;
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

export interface NamePattern {
  readonly steps: readonly Step[];
  /** Characters before the id of the run, where that is always the same number. */
  readonly runOffset: number | undefined;
}

export interface NameSource {
  /** Normalized: '' or with a trailing `/`. */
  readonly folder: string;
  readonly template: string;
  readonly extension: string;
  readonly activation: string;
  readonly model: string;
  readonly mode: string;
}

function literal(text: string): Step[] {
  return [...text].map(characters => ({ characters, repeats: false }));
}

function digits(count: number): Step[] {
  return Array.from({ length: count }, () => ({ characters: DIGITS, repeats: false }));
}

/** Part numbers have five digits or more. */
const PART_NUMBER: readonly Step[] = [...digits(4), { characters: DIGITS, repeats: true }];

const CHANGES: readonly FileChange[] = ['added', 'updated', 'removed'];

/** The patterns of every file that an activation may write. Throws FILE_NAME_INVALID for a bad template. */
export function namePatterns(source: NameSource): NamePattern[] {
  const { stem, extension } = splitExtension(source.template, source.extension);
  const tokens = parseTemplate(stem);
  const steps: Step[] = literal(source.folder);
  let runOffset: number | undefined;
  let fixedLength = true;
  for (const token of tokens) {
    if ('literal' in token) steps.push(...literal(token.literal));
    else if (token.placeholder === 'run') {
      if (fixedLength) runOffset ??= steps.length;
      fixedLength = false;
      steps.push({ characters: RUN_ID_CHARACTERS, repeats: true });
    } else if (token.placeholder === 'part') {
      fixedLength = false;
      steps.push(...PART_NUMBER);
    } else {
      const count = CLOCK_DIGITS[token.placeholder];
      if (count !== undefined) steps.push(...digits(count));
      else steps.push(...literal(source[token.placeholder as 'activation' | 'model' | 'mode']));
    }
  }
  const numbered = tokens.some(token => 'placeholder' in token && token.placeholder === 'part');
  const changes = source.mode === 'difference' ? CHANGES.map(change => `_${change}`) : [''];
  const partSuffixes = numbered ? [[]] : [[], [...literal('_part'), ...PART_NUMBER]];
  return changes.flatMap(change =>
    partSuffixes.map(part => ({
      steps: [...steps, ...literal(change), ...part, ...literal(extension)],
      runOffset,
    })),
  );
}

function commonCharacter(a: Step, b: Step): string | undefined {
  if (a.characters.length === 1 && b.characters.length === 1)
    return a.characters === b.characters ? a.characters : undefined;
  const [few, many] = a.characters.length <= b.characters.length ? [a, b] : [b, a];
  return [...few.characters].find(character => many.characters.includes(character));
}

/** Whether the patterns part before anything in them repeats: nearly all pairs do, and nothing has to be searched then. */
function partEarly(a: NamePattern, b: NamePattern): boolean {
  for (let at = 0; ; at++) {
    const stepA = a.steps[at];
    const stepB = b.steps[at];
    if (stepA === undefined || stepB === undefined) return stepA !== stepB;
    if (stepA.repeats || stepB.repeats) return false;
    if (stepA.characters !== stepB.characters && commonCharacter(stepA, stepB) === undefined) return true;
  }
}

/** A name that both patterns could give, or undefined when there is none. */
export function commonName(a: NamePattern, b: NamePattern): string | undefined {
  // Ids of runs are unique and of one length: at the same place they make the names differ.
  if (a.runOffset !== undefined && a.runOffset === b.runOffset) return undefined;
  if (partEarly(a, b)) return undefined;

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
