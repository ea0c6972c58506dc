/**
 * From located trees to a configuration, or to one error with every problem in it.
 *
 *   trees → references resolved → one tree → schema → checks → frozen configuration
 */

import { resolve } from 'node:path';
import { Proxies } from '../addresses/proxies.ts';
import type { ResolvableConfig } from './activation.ts';
import { checkConfig } from './checks/checks.ts';
import { ConfigInvalidError, describeAllowed, isSecretPath, ProblemWriter } from './checks/problems.ts';
import { deepFreeze } from './deep-freeze.ts';
import { locatedDestination } from './destinations/destinations.ts';
import { postgresAddress } from './postgres/postgres-address.ts';
import { type Config, configSchema, type ParsedConfig } from './schema/schema.ts';
import type { StateConfig } from './schema/schema-state.ts';
import { Redactor, Secret } from './secrets.ts';
import {
  type ConfigProblem,
  type KeyPath,
  type LocatedMap,
  type LocatedNode,
  mergeTrees,
  nodeAt,
  replaceAt,
  toValue,
} from './tree/located-tree.ts';
import type { ReferenceContext } from './tree/references.ts';
import { resolveReferences } from './tree/resolve-references.ts';
import { concerns, withStandIns } from './tree/stand-ins.ts';

export interface CheckedConfig {
  /**
   * Deeply frozen. `dataDirectory` and the paths of sources and destinations are
   * absolute.
   */
  readonly config: ResolvableConfig;
  /** Knows every secret of the configuration. */
  readonly redactor: Redactor;
  /**
   * References that could not be resolved, and that `mayBeUnset` lets be: other values
   * stand in their place.
   */
  readonly unset: readonly ConfigProblem[];
}

export interface ConfigTrees extends ReferenceContext {
  /** As they were written, one a file. */
  readonly roots: readonly LocatedMap[];
  /** The first file, as problems show it. */
  readonly file: string;
  /** What is known to be wrong. */
  readonly problems: readonly ConfigProblem[];
  /** Whether there is a tree of every file. */
  readonly complete: boolean;
  /**
   * Whether a key may hold a reference that cannot be resolved, since its value is not
   * needed; default none may.
   */
  readonly mayBeUnset?: ((path: KeyPath) => boolean) | undefined;
}

/** Every secret of a configuration that the schema has nothing against. */
function* secretsOf(value: unknown): Generator<Secret> {
  if (value instanceof Secret) yield value;
  else if (typeof value === 'object' && value !== null)
    for (const child of Object.values(value)) yield* secretsOf(child);
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

type ParsedBySchema = ReturnType<typeof configSchema.safeParse>;

/** Shorter values, such as `dev`, are words of every message. */
const MIN_CONCEALED_LENGTH = 6;

/** From this many activations on, a parser that is compiled for the schema is faster. */
const WORTH_A_PARSER = 20;

function parsedBySchema(root: LocatedMap): ParsedBySchema {
  const activations = root.entries.get('activations');
  const jitless = activations?.kind !== 'map' || activations.entries.size < WORTH_A_PARSER;
  return configSchema.safeParse(toValue(root), { error: describeAllowed, jitless });
}

/**
 * A reference gives text; where the schema wants a number or a boolean, the text may
 * stand for one.
 */
function withoutTextTypes(root: LocatedMap, found: ParsedBySchema): LocatedMap {
  let tree = root;
  for (const { path, expected } of wrongTypes(found.error?.issues ?? [])) {
    const node = nodeAt(tree, path);
    if (node?.kind !== 'scalar' || !node.referenced || typeof node.value !== 'string') continue;
    const value = plainValue(node.value, expected);
    if (value !== undefined) tree = replaceAt(tree, path, { ...node, value }) as LocatedMap;
  }
  return tree;
}

type Issue = NonNullable<ParsedBySchema['error']>['issues'][number];

/** Where the schema wants another type than there is, within alternatives too. */
function* wrongTypes(
  issues: readonly Issue[],
  parent: readonly (string | number)[] = [],
): Generator<{ readonly path: (string | number)[]; readonly expected: string }> {
  for (const issue of issues) {
    const path = [...parent, ...(issue.path as (string | number)[])];
    if (issue.code === 'invalid_type') yield { path, expected: issue.expected };
    else if (issue.code === 'invalid_union')
      for (const alternative of issue.errors) yield* wrongTypes(alternative as Issue[], path);
  }
}

function plainValue(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const isNumber = (expected === 'number' || expected === 'int') && /^-?\d{1,15}$/.test(text);
  return isNumber ? Number(text) : undefined;
}

/**
 * With what follows from several keys, from the folder of the files (where relative paths
 * start) and the environment.
 */
function completed(
  config: ParsedConfig,
  root: LocatedMap,
  context: ReferenceContext,
  proxies: Proxies,
): Config {
  const sources = Object.entries(config.sources).map(([name, source]) => {
    if (source.type === 'json') return [name, { ...source, path: resolve(context.directory, source.path) }];
    const { address, ...fromUrl } = postgresAddress(source, context, proxies);
    const isGiven = (key: string) => nodeAt(root, ['sources', name, key]) !== undefined;
    const { applicationName = source.applicationName, connectTimeoutMs = source.connectTimeout } = fromUrl;
    return [
      name,
      {
        ...source,
        applicationName: isGiven('applicationName') ? source.applicationName : applicationName,
        connectTimeout: isGiven('connectTimeout') ? source.connectTimeout : connectTimeoutMs,
        address,
      },
    ];
  });
  return {
    ...config,
    dataDirectory: resolve(context.directory, config.dataDirectory),
    ...(config.state && { state: locatedState(config.state, context.directory) }),
    sources: Object.fromEntries(sources) as Config['sources'],
    destinations: Object.fromEntries(
      Object.entries(config.destinations).map(([name, destination]) => [
        name,
        locatedDestination(destination, context.directory),
      ]),
    ),
  };
}

function locatedState(state: StateConfig, directory: string): StateConfig {
  const { destination, folder } = state;
  if (destination !== undefined || folder === undefined) return state;
  return { ...state, folder: resolve(directory, folder) };
}

/** Throws CONFIG_INVALID (a `ConfigInvalidError`) with every problem. */
export function checkedConfig({
  roots,
  file,
  problems: known,
  complete,
  mayBeUnset = () => false,
  ...context
}: ConfigTrees): CheckedConfig {
  const resolved = roots.map(root => resolveReferences(root, context));
  const redactor = new Redactor(resolved.flatMap(({ secrets }) => secrets));
  const merged = mergeTrees(
    resolved.map(({ root }) => root),
    { file, line: 1, column: 1 },
  );
  const allMissing = resolved.flatMap(({ missing }) => missing);
  const missing = allMissing.filter(({ path }) => mayBeUnset(path));
  const empty = resolved.flatMap(part => part.empty).filter(({ path }) => mayBeUnset(path));
  const replaceable = [...missing, ...empty];
  const standing =
    replaceable.length === 0
      ? merged.root
      : withStandIns(merged.root, replaceable, tree => wrongOf(parsedWithTypes(tree)));
  const replaced = empty.filter(({ path }) => nodeAt(standing, path) !== nodeAt(merged.root, path));
  const parsed = parsedWithTypes(standing);
  const { root, result } = parsed;
  // To look for the places of secrets takes longer than the rest of a small
  // configuration.
  for (const secret of result.success ? secretsOf(result.data) : secretTexts(root)) redactor.add(secret);

  // With a file missing, names that it defines would be called unknown.
  const wrong = complete ? wrongOf(parsed) : [];
  // No value could be found to stand for some.
  const refused = [...allMissing, ...replaced].filter(
    ({ path, problem }) => !mayBeUnset(path) || wrong.some(other => concerns(other, problem.key)),
  );
  const unreadable = [
    ...known,
    ...[...resolved, merged].flatMap(part => part.problems),
    ...refused.map(({ problem }) => problem),
  ];
  const problems = [...unreadable, ...withoutEchoes(wrong, unreadable)];
  if (problems.length > 0 || !result.success) {
    throw new ConfigInvalidError(problems.map(problem => cleaned(problem, redactor)));
  }
  const proxies = new Proxies(context.environment);
  const parsedConfig = completed(result.data, root, context, proxies);
  for (const secret of secretsOf(parsedConfig.sources)) redactor.add(secret);
  for (const secret of proxies.secrets()) redactor.add(secret);
  const inQueries = resolved
    .flatMap(part => part.inQueries)
    .filter(value => value.length >= MIN_CONCEALED_LENGTH);
  const queryValues = inQueries.length > 0 && { queryValues: new Redactor(inQueries) };
  const config = Object.freeze({ ...deepFreeze(parsedConfig), proxies, ...queryValues });
  return { config, redactor, unset: [...missing, ...replaced].map(({ problem }) => problem) };
}

interface ParsedTree {
  readonly root: LocatedMap;
  readonly result: ParsedBySchema;
}

/** With texts of references as the numbers and booleans that the schema wants there. */
function parsedWithTypes(tree: LocatedMap): ParsedTree {
  const first = parsedBySchema(tree);
  const root = withoutTextTypes(tree, first);
  return { root, result: root === tree ? first : parsedBySchema(root) };
}

/** Everything that schema and rules have against a tree. */
function wrongOf({ root, result }: ParsedTree): ConfigProblem[] {
  const writer = new ProblemWriter(root);
  const issues = result.error?.issues ?? [];
  return [...issues.flatMap(issue => writer.fromIssue(issue)), ...checkConfig(root, writer, result.data)];
}

function cleaned(problem: ConfigProblem, redactor: Redactor): ConfigProblem {
  return { ...problem, key: redactor.clean(problem.key), message: redactor.clean(problem.message) };
}

/**
 * A reference that failed leaves an empty text, which the schema refuses once more; the
 * first problem is enough.
 */
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
