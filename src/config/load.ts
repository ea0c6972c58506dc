/**
 * From a file or a folder to a configuration, or to one error with every problem in it.
 *
 *   files → located trees (references resolved) → one tree → schema → checks → frozen configuration
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { SluiceError } from '../errors.ts';
import { checkConfig } from './checks.ts';
import { type DeepReadonly, deepFreeze } from './deep-freeze.ts';
import {
  type ConfigProblem,
  childOf,
  type KeyPath,
  type LocatedMap,
  type LocatedNode,
  mergeTrees,
  nodeAt,
  placeOf,
  toValue,
} from './located-tree.ts';
import { ConfigInvalidError, describeAllowed, isSecretPath, ProblemWriter } from './problems.ts';
import type { Environment } from './references.ts';
import { type Config, configSchema } from './schema.ts';
import { Redactor, Secret } from './secrets.ts';
import { type ParsedFile, parseYaml } from './yaml-tree.ts';

export interface LoadedConfig {
  /** Deeply frozen. `dataDirectory` and the paths of json sources are absolute. */
  readonly config: DeepReadonly<Config>;
  /** Knows every secret of the configuration. */
  readonly redactor: Redactor;
  /** Absolute paths of the files that were read. */
  readonly files: readonly string[];
  /**
   * The texts that it was made of, for `loadSnapshot` to make it again in another process, whatever has become of the
   * files. It holds the secrets that stand in them, no others.
   */
  readonly snapshot: Secret;
}

interface ConfigSnapshotText {
  /** As it is shown in problems. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

export interface LoadOptions {
  /** A YAML or JSON file, or a folder of them. */
  readonly path: string;
  /** Where `${NAME}` is looked up; the default is the environment of the process. */
  readonly environment?: Environment;
  /** Folder that `path` is relative to, and that problems name files from; default the current one. */
  readonly cwd?: string;
}

export interface ParseOptions {
  /** YAML or JSON. */
  readonly text: string;
  /** As it is shown in problems; default `sluice.yaml`. */
  readonly file?: string;
  readonly environment?: Environment;
  /** Folder that relative paths start from; default the current one. */
  readonly directory?: string;
}

interface ConfigText extends ConfigSnapshotText {
  readonly problems: readonly ConfigProblem[];
}

const CONFIG_FILE = /^[^.].*\.(?:ya?ml|json)$/i;

function readText(path: string, cwd: string): ConfigText {
  const file = relative(cwd, path) || path;
  const bytes = readFileSync(path);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { file, path, text, problems: [] };
  } catch {
    const message = 'is not UTF-8 text';
    return { file, path, text: '', problems: [{ file, line: 1, column: 1, key: '', message }] };
  }
}

function readConfigTexts(path: string, cwd: string): ConfigText[] {
  try {
    if (!statSync(path).isDirectory()) return [readText(path, cwd)];
    const names = readdirSync(path, { withFileTypes: true })
      .filter(entry => !entry.isDirectory() && CONFIG_FILE.test(entry.name))
      .map(entry => entry.name)
      .sort();
    if (names.length > 0) return names.map(name => readText(join(path, name), cwd));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new SluiceError('CONFIG_NOT_FOUND', `the configuration ${path} cannot be read (${code})`, {
      cause,
      stage: 'configuration',
    });
  }
  throw new SluiceError('CONFIG_NOT_FOUND', `the folder ${path} holds no .yaml, .yml or .json file`, {
    stage: 'configuration',
  });
}

/** Every text that stands where a secret belongs, valid or not. */
function* secretTexts(node: LocatedNode, path: KeyPath = []): Generator<string> {
  if (node.kind === 'scalar') {
    if (typeof node.value === 'string' && node.value !== '' && isSecretPath(path)) yield node.value;
  } else {
    const children = node.kind === 'map' ? node.entries.entries() : node.items.entries();
    for (const [key, child] of children) yield* secretTexts(child, [...path, key]);
  }
}

/** A reference gives text; where the schema wants a number or a boolean, the text may stand for one. */
function withoutTextTypes(root: LocatedMap): LocatedMap {
  const found = configSchema.safeParse(toValue(root), { error: describeAllowed });
  let tree = root;
  for (const issue of found.error?.issues ?? []) {
    if (issue.code !== 'invalid_type') continue;
    const path = issue.path as (string | number)[];
    const node = nodeAt(tree, path);
    if (node?.kind !== 'scalar' || !node.referenced || typeof node.value !== 'string') continue;
    const value = plainValue(node.value, issue.expected);
    if (value !== undefined) tree = replaceAt(tree, path, { ...node, value }) as LocatedMap;
  }
  return tree;
}

function plainValue(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const isNumber = (expected === 'number' || expected === 'int') && /^-?\d{1,15}$/.test(text);
  return isNumber ? Number(text) : undefined;
}

function replaceAt(node: LocatedNode, path: KeyPath, replacement: LocatedNode): LocatedNode {
  const [key, ...rest] = path;
  const child = key === undefined ? undefined : childOf(node, key);
  if (key === undefined || child === undefined) return replacement;
  const replaced = replaceAt(child, rest, replacement);
  if (node.kind === 'map') return { ...node, entries: new Map(node.entries).set(String(key), replaced) };
  return node.kind === 'list' ? { ...node, items: node.items.with(Number(key), replaced) } : node;
}

/** Relative paths start from the folder of the file that holds them. */
function withAbsolutePaths(config: Config, directoryOf: (path: KeyPath) => string): Config {
  const sources = Object.entries(config.sources).map(([name, source]) => [
    name,
    source.type === 'json'
      ? { ...source, path: resolve(directoryOf(['sources', name, 'path']), source.path) }
      : source,
  ]);
  return {
    ...config,
    dataDirectory: resolve(directoryOf(['dataDirectory']), config.dataDirectory),
    sources: Object.fromEntries(sources) as Config['sources'],
  };
}

interface Assembly {
  readonly texts: readonly ConfigText[];
  readonly parsed: readonly ParsedFile[];
  readonly directoryOf: (file: string) => string;
}

function assemble({ texts, parsed, directoryOf }: Assembly): LoadedConfig {
  const redactor = new Redactor(parsed.flatMap(file => file.secrets));
  const trees = parsed.flatMap(file => (file.root === undefined ? [] : [file.root]));
  const first = { file: texts[0]?.file ?? '', line: 1, column: 1 };
  const merged = mergeTrees(trees, first);
  const root = withoutTextTypes(merged.root);
  for (const text of secretTexts(root)) redactor.add(text);

  const unreadable = [...texts, ...parsed, merged].flatMap(part => part.problems);
  const writer = new ProblemWriter(root);
  const result = configSchema.safeParse(toValue(root), { error: describeAllowed });
  const wrong: ConfigProblem[] = [];
  // With a file missing, names that it defines would be called unknown.
  if (trees.length === texts.length) {
    wrong.push(...(result.error?.issues ?? []).flatMap(issue => writer.fromIssue(issue)));
    wrong.push(...checkConfig(root, writer));
  }
  const problems = [...unreadable, ...withoutEchoes(wrong, unreadable)];
  if (problems.length > 0 || !result.success) {
    throw new ConfigInvalidError(problems.map(problem => cleaned(problem, redactor)));
  }
  const config = withAbsolutePaths(result.data, path => directoryOf(placeOf(root, path).file));
  const snapshot = new Secret(JSON.stringify(texts.map(({ file, path, text }) => ({ file, path, text }))));
  return { config: deepFreeze(config), redactor, files: texts.map(({ path }) => path), snapshot };
}

function cleaned(problem: ConfigProblem, redactor: Redactor): ConfigProblem {
  return { ...problem, key: redactor.clean(problem.key), message: redactor.clean(problem.message) };
}

/** A reference that failed leaves an empty text, which the schema refuses once more; the first problem is enough. */
function withoutEchoes(
  wrong: readonly ConfigProblem[],
  unreadable: readonly ConfigProblem[],
): ConfigProblem[] {
  const known = new Set(unreadable.filter(({ key }) => key !== '').map(problemId));
  return wrong.filter(problem => !known.has(problemId(problem)));
}

function problemId({ file, line, column, key }: ConfigProblem): string {
  return JSON.stringify([file, line, column, key]);
}

/**
 * Reads, checks and freezes a configuration.
 *
 * Throws CONFIG_NOT_FOUND, or CONFIG_INVALID (a `ConfigInvalidError`) with every problem.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const cwd = resolve(options.cwd ?? '.');
  const texts = readConfigTexts(resolve(cwd, options.path), cwd);
  return fromTexts(texts, options.environment ?? process.env);
}

/** The configuration as it was when the snapshot was taken; variables and files that it refers to are read anew. */
export function loadSnapshot(snapshot: string, environment: Environment = process.env): LoadedConfig {
  const texts = JSON.parse(snapshot) as ConfigSnapshotText[];
  return fromTexts(
    texts.map(text => ({ ...text, problems: [] })),
    environment,
  );
}

function fromTexts(texts: readonly ConfigText[], environment: Environment): LoadedConfig {
  const parsed = texts.map(({ file, path, text }) =>
    parseYaml(text, { file, environment, directory: dirname(path) }),
  );
  const directories = new Map(texts.map(({ file, path }) => [file, dirname(path)]));
  return assemble({ texts, parsed, directoryOf: file => directories.get(file) ?? '' });
}

/** As `loadConfig`, for a text that is in memory already. `files` is empty. */
export function parseConfig(options: ParseOptions): LoadedConfig {
  const file = options.file ?? 'sluice.yaml';
  const directory = resolve(options.directory ?? '.');
  const environment = options.environment ?? process.env;
  const parsed = parseYaml(options.text, { file, environment, directory });
  const texts = [{ file, path: join(directory, basename(file)), text: options.text, problems: [] }];
  return { ...assemble({ texts, parsed: [parsed], directoryOf: () => directory }), files: [] };
}
