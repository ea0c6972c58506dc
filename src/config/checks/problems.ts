/**
 * From what the schema objects to, to problems that a person can act on: where, what was
 * seen, what is allowed.
 */

import type * as z from 'zod';
import { SluiceError } from '../../errors.ts';
import { ANY_KEY, secretPaths } from '../schema/json-schema.ts';
import {
  type ConfigProblem,
  type KeyPath,
  keyText,
  type LocatedMap,
  type LocatedNode,
  nodeAt,
  placeOf,
  showPlace,
} from '../tree/located-tree.ts';
import { nearestName } from './nearest-name.ts';

type Issue = z.core.$ZodIssue;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys',
  record: 'a map of names',
  array: 'a list',
  tuple: 'a list',
};

function bound(
  kind: 'least' | 'most',
  limit: number | bigint,
  inclusive: boolean | undefined,
  origin: string,
): string {
  const words = inclusive === false ? (kind === 'least' ? 'more than' : 'less than') : `at ${kind}`;
  const unit = origin === 'string' ? ' characters' : origin === 'array' ? ' items' : '';
  return `${words} ${limit}${unit}`;
}

/** What is allowed, in words, for issues whose schema does not say it itself. */
export const describeAllowed: z.core.$ZodErrorMap = issue => {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS[isWhole(issue.inst) ? 'int' : issue.expected] ?? issue.expected;
    case 'invalid_value':
      return oneOf(issue.values.map(String));
    case 'too_small':
      return bound('least', issue.minimum, issue.inclusive, issue.origin);
    case 'too_big':
      return bound('most', issue.maximum, issue.inclusive, issue.origin);
    case 'unrecognized_keys':
      return Object.keys(shapeOf(issue.inst)).join(', ');
    default:
      return undefined;
  }
};

/** Whole numbers are numbers with a format to the schema. */
function isWhole(schema: unknown): boolean {
  return (schema as { format?: string | null } | undefined)?.format === 'safeint';
}

function shapeOf(schema: unknown): Record<string, unknown> {
  return (schema as { shape?: Record<string, unknown> } | undefined)?.shape ?? {};
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}

let secretPatterns: readonly (readonly string[])[] | undefined;

/** Whether the value at a path is a secret, holds one, or stands where one belongs. */
export function isSecretPath(path: KeyPath): boolean {
  secretPatterns ??= secretPaths();
  return secretPatterns.some(pattern => {
    const shared = Math.min(pattern.length, path.length);
    return pattern.slice(0, shared).every((key, index) => key === ANY_KEY || key === path[index]);
  });
}

function showSeen(node: LocatedNode | undefined, path: KeyPath): string {
  if (node === undefined) return 'nothing';
  if (node.kind === 'map') return showKeys([...node.entries.keys()]);
  if (node.kind === 'list') return node.items.length === 0 ? 'an empty list' : 'a list';
  if (node.value === null) return 'no value';
  if (node.referenced || isSecretPath(path)) return '(hidden)';
  return shortQuoted(node.value);
}

function showKeys(keys: readonly string[]): string {
  if (keys.length === 0) return 'an empty map';
  return `a map with ${keys.slice(0, 5).join(', ')}${keys.length > 5 ? ' and more' : ''}`;
}

function shortQuoted(value: string | number | boolean): string {
  const shown = JSON.stringify(value);
  return shown.length <= 80 ? shown : `${shown.slice(0, 60)}… (${shown.length} characters)`;
}

/** What a text without quotes may begin with where it was read as something else. */
function unquotedStart(node: LocatedNode | undefined): string | undefined {
  if (node?.kind === 'list') return '[';
  if (node?.kind === 'scalar') return node.value === null ? '# or &' : undefined;
  // `{YYYY}` is a map with one key that has no value.
  const values = [...(node?.entries.values() ?? [])];
  const isEmpty = ([first, second]: LocatedNode[]): boolean =>
    second === undefined && first?.kind === 'scalar' && first.value === null;
  return isEmpty(values) ? '{' : undefined;
}

function holdsReference(node: LocatedNode): boolean {
  if (node.kind === 'scalar') return node.referenced;
  return (node.kind === 'map' ? [...node.entries.values()] : node.items).some(holdsReference);
}

/** Problems of one tree, in words. */
export class ProblemWriter {
  readonly #root: LocatedMap;

  constructor(root: LocatedMap) {
    this.#root = root;
  }

  at(path: KeyPath, message: string): ConfigProblem {
    return { ...placeOf(this.#root, path), key: keyText(path), message };
  }

  /** A value at a path as messages may show it: quoted, or `(hidden)`. */
  show(path: KeyPath, value: string): string {
    return this.isHidden(path) ? '(hidden)' : shortQuoted(value);
  }

  /**
   * Whether the value at a path came from a reference, in any part, or may be a secret.
   */
  isHidden(path: KeyPath): boolean {
    const node = nodeAt(this.#root, path);
    return isSecretPath(path) || (node !== undefined && holdsReference(node));
  }

  /** A problem for a value that is not what is allowed. */
  wrongValue(path: KeyPath, allowed: string): ConfigProblem {
    const node = nodeAt(this.#root, path);
    if (node === undefined) return this.at(path, `is required; expected ${allowed}`);
    return this.at(path, `is ${showSeen(node, path)}; expected ${allowed}`);
  }

  /** A problem for what is no text; what was meant as one may lack its quotes. */
  #noText(path: KeyPath, allowed: string): ConfigProblem {
    const start = unquotedStart(nodeAt(this.#root, path));
    const hint = start === undefined ? '' : `; quote a text that starts with ${start}`;
    return this.wrongValue(path, `${allowed}${hint}`);
  }

  /** The problems behind an issue of the schema. */
  fromIssue(issue: Issue, base: KeyPath = []): ConfigProblem[] {
    const path: KeyPath = [...base, ...(issue.path as (string | number)[])];
    if (issue.code === 'unrecognized_keys') {
      const known = issue.message.split(', ');
      return issue.keys.map(key => this.#unknownKey([...path, key], key, known));
    }
    if (issue.code === 'invalid_key')
      return [this.#wrongName(path, issue.issues[0]?.message ?? 'another name')];
    if (issue.code === 'invalid_union') return this.#fromUnion(issue, path);
    if (issue.code === 'invalid_value')
      return [this.#wrongChoice(path, issue.values.map(String), issue.message)];
    if (issue.code === 'invalid_type' && issue.expected === 'string')
      return [this.#noText(path, issue.message)];
    const reason = issue.code === 'custom' && issue.params?.['reason'];
    // It may quote the value.
    if (reason && !this.isHidden(path)) return [this.wrongValue(path, `${issue.message}: ${reason}`)];
    return [this.wrongValue(path, issue.message)];
  }

  #fromUnion(issue: z.core.$ZodIssueInvalidUnion, path: KeyPath): ConfigProblem[] {
    const options = 'options' in issue ? (issue.options as unknown[]) : undefined;
    if (options !== undefined)
      return [this.#wrongChoice(path, options.map(String), oneOf(options.map(String)))];
    const node = nodeAt(this.#root, path);
    const counted = issue.errors
      .filter(branch => branch.every(inner => inner.code !== 'invalid_type' || inner.path.length > 0))
      .sort((a, b) => a.length - b.length);
    const [best, second] = counted;
    // The branch that was meant is the one with the fewest faults; with no clear winner
    // the choice itself is named.
    const clear = best !== undefined && (second === undefined || best.length < second.length);
    const hasParts = node?.kind === 'map' || node?.kind === 'list';
    if (!hasParts || !clear) return [this.wrongValue(path, issue.message)];
    return best.flatMap(inner => this.fromIssue(inner, path));
  }

  #wrongChoice(path: KeyPath, values: readonly string[], allowed: string): ConfigProblem {
    const node = nodeAt(this.#root, path);
    const open = node?.kind === 'scalar' && !node.referenced && !isSecretPath(path);
    const near = open && typeof node.value === 'string' ? nearestName(node.value, values) : undefined;
    return this.wrongValue(path, near === undefined ? allowed : `${allowed} (did you mean ${near}?)`);
  }

  #wrongName(path: KeyPath, allowed: string): ConfigProblem {
    return this.at(path, `has the name ${JSON.stringify(String(path.at(-1)))}; expected ${allowed}`);
  }

  #unknownKey(path: KeyPath, key: string, known: readonly string[]): ConfigProblem {
    const near = nearestName(key, known);
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    return this.at(path, `is an unknown key${hint}; allowed are ${known.join(', ')}`);
  }
}

function inFileOrder(a: ConfigProblem, b: ConfigProblem): number {
  const byFile = a.file < b.file ? -1 : a.file > b.file ? 1 : 0;
  return byFile || a.line - b.line || a.column - b.column;
}

function showProblem(problem: ConfigProblem): string {
  return `${showPlace(problem)} ${problem.key === '' ? 'the file' : problem.key} ${problem.message}`;
}

/** CONFIG_INVALID with every problem: in the message, one a line, and as data. */
export class ConfigInvalidError extends SluiceError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const sorted = [...problems].sort(inFileOrder);
    const count = sorted.length === 1 ? 'one problem' : `${sorted.length} problems`;
    const lines = sorted.map(problem => `  ${showProblem(problem)}`);
    super('CONFIG_INVALID', `the configuration has ${count}:\n${lines.join('\n')}`, {
      stage: 'configuration',
    });
    this.problems = sorted;
  }
}
