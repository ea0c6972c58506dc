/**
 * From a file or a folder to a configuration, or to one error with every problem in it.
 */

import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { SluiceError } from '../errors.ts';
import { readTextFile, TextFileError } from '../text-file.ts';
import { type CheckedConfig, checkedConfig } from './checked-config.ts';
import type { Secret } from './secrets.ts';
import { takeSnapshot } from './snapshot.ts';
import {
  type ConfigProblem,
  type KeyPath,
  type LocatedNode,
  mergeTrees,
  nodeAt,
} from './tree/located-tree.ts';
import type { Environment, ReferenceContext } from './tree/references.ts';
import { parseYaml } from './tree/yaml-tree.ts';

export interface LoadedConfig extends CheckedConfig {
  /** Absolute paths of the files that were read. */
  readonly files: readonly string[];
  /**
   * What `loadSnapshot` makes the activation again of in another process, whatever has
   * become of the files. It holds the secrets that stand in that part of them, no others.
   */
  readonly snapshotOf: (activation: string) => Secret;
  /**
   * What is written at a key, with its place and with references as they stand; absent
   * where a default holds.
   */
  readonly writtenAt: (path: KeyPath) => LocatedNode | undefined;
}

export interface LoadOptions {
  /** A YAML or JSON file, or a folder of them. */
  readonly path: string;
  /** Where `${NAME}` is looked up; the default is the environment of the process. */
  readonly environment?: Environment;
  /**
   * Whether a key may hold a reference that cannot be resolved, since its value is not
   * needed; default none may.
   */
  readonly mayBeUnset?: (path: KeyPath) => boolean;
  /**
   * Folder that `path` is relative to, and that problems name files from; default the
   * current one.
   */
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
  /** As for `loadConfig`. */
  readonly mayBeUnset?: (path: KeyPath) => boolean;
}

interface ConfigText {
  /** As it is shown in problems. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  readonly problems: readonly ConfigProblem[];
}

/** Schemas for editors lie beside them. */
const CONFIG_FILE = /^[^.].*(?<!\.schema)\.(?:ya?ml|json)$/i;

function readText(path: string, cwd: string): ConfigText {
  const file = relative(cwd, path) || path;
  try {
    return { file, path, text: readTextFile(path), problems: [] };
  } catch (error) {
    if (!(error instanceof TextFileError)) throw error;
    const problem = { file, line: 1, column: 1, key: '', message: error.message };
    return { file, path, text: '', problems: [problem] };
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

/**
 * Reads, checks and freezes a configuration.
 *
 * Throws CONFIG_NOT_FOUND, or CONFIG_INVALID (a `ConfigInvalidError`) with every problem.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const cwd = resolve(options.cwd ?? '.');
  const texts = readConfigTexts(resolve(cwd, options.path), cwd);
  const files = texts.map(({ path }) => path);
  // All of them are in one folder.
  const directory = dirname(files[0]!);
  const { environment = process.env, mayBeUnset } = options;
  return fromTexts(texts, files, { directory, environment }, mayBeUnset);
}

/** As `loadConfig`, for a text that is in memory already. `files` is empty. */
export function parseConfig(options: ParseOptions): LoadedConfig {
  const file = options.file ?? 'sluice.yaml';
  const directory = resolve(options.directory ?? '.');
  const texts = [{ file, text: options.text, problems: [] }];
  const { environment = process.env, mayBeUnset } = options;
  return fromTexts(texts, [], { directory, environment }, mayBeUnset);
}

function fromTexts(
  texts: readonly Omit<ConfigText, 'path'>[],
  files: readonly string[],
  context: ReferenceContext,
  mayBeUnset?: LoadOptions['mayBeUnset'],
): LoadedConfig {
  const parsed = texts.map(({ file, text }) => parseYaml(text, file));
  const roots = parsed.flatMap(({ root }) => root ?? []);
  const file = texts[0]!.file;
  const problems = [...texts, ...parsed].flatMap(part => part.problems);
  const complete = roots.length === texts.length;
  const checked = checkedConfig({ roots, file, problems, complete, mayBeUnset, ...context });
  const { root } = mergeTrees(roots, { file, line: 1, column: 1 });
  const { directory } = context;
  return {
    ...checked,
    files,
    snapshotOf: activation => takeSnapshot({ directory, root }, checked.config, activation),
    writtenAt: path => nodeAt(root, path),
  };
}
