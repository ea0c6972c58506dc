/**
 * References in text values: `${NAME}`, `${NAME:-default}` and `${file:/path}`; `$${`
 * stands for `${`.
 *
 * They are resolved in scalars after the file was parsed, so that a value can never
 * become structure.
 */

import { resolve } from 'node:path';
import { readTextFile, TextFileError } from '../../text-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ReferenceContext {
  readonly environment: Environment;
  /** Folder that relative `file:` paths start from. */
  readonly directory: string;
}

export interface Expansion {
  readonly text: string;
  /** Whether any of the text came from a reference. */
  readonly referenced: boolean;
  /**
   * Values that are secrets for where they came from: files, and variables named like
   * secrets.
   */
  readonly secrets: readonly string[];
  /** All values of variables; defaults, which stand in the file, are left out. */
  readonly values: readonly string[];
  /** What is wrong with references as they are written; never holds a value. */
  readonly problems: readonly string[];
  /** Variables that are not set and files that cannot be read; never holds a value. */
  readonly missing: readonly string[];
  /** Variables and files that are there and empty. */
  readonly empty: readonly string[];
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;
const SECRET_NAME = /PASS|PWD|SECRET|TOKEN|KEY|SAS|CREDENTIAL|SIGNATURE|WEBHOOK/i;
const MAX_FILE_BYTES = 1024 * 1024;

/** Without its last line break, as a shell's `$(cat file)`. */
function readSecretFile(path: string): { text: string } | { problem: string } {
  try {
    return { text: readTextFile(path, { maxBytes: MAX_FILE_BYTES }).replace(/\r?\n$/, '') };
  } catch (error) {
    const { code = 'unknown error', message } = error as NodeJS.ErrnoException;
    const fault = error instanceof TextFileError ? message : `cannot be read (${code})`;
    return { problem: `refers to the file ${path}, which ${fault}` };
  }
}

function isEscape(match: string): boolean {
  return match.startsWith('$$');
}

/**
 * The text with its references replaced. What cannot be resolved becomes '' and a
 * problem. `spell` writes a value as the syntax around the reference at this place of the
 * text needs it.
 */
export function expandReferences(
  text: string,
  context: ReferenceContext,
  spell: (value: string, place: number) => string = value => value,
): Expansion {
  const secrets: string[] = [];
  const values: string[] = [];
  const problems: string[] = [];
  const missing: string[] = [];
  const empty: string[] = [];
  let referenced = false;

  const lookUp = (match: string, inner: string): string => {
    referenced = true;
    if (!match.endsWith('}')) {
      problems.push(
        `holds a reference \${ without a closing }; write $\${ for the two characters themselves`,
      );
      return '';
    }
    if (inner.startsWith('file:') && inner.length > 'file:'.length) {
      const file = readSecretFile(resolve(context.directory, inner.slice('file:'.length)));
      if ('problem' in file) missing.push(file.problem);
      else if (file.text === '')
        empty.push(`refers to the file ${inner.slice('file:'.length)}, which is empty`);
      else secrets.push(file.text);
      return 'text' in file ? file.text : '';
    }
    const [, name, fallback] = VARIABLE.exec(inner) ?? [];
    if (name === undefined) {
      problems.push(
        `holds a reference that is none of \${NAME}, \${NAME:-default} and \${file:/path}; write $\${ for \${ itself`,
      );
      return '';
    }
    const set = context.environment[name];
    const value = fallback === undefined ? set : set || fallback;
    if (value === undefined) {
      missing.push(`refers to the environment variable ${name}, which is not set`);
      return '';
    }
    // A variable that was filled from a file may begin as the file does.
    const text = value.replace(/^\ufeff/, '');
    if (text === '' && fallback === undefined)
      empty.push(`refers to the environment variable ${name}, which is empty`);
    if (value === set) values.push(text);
    if (SECRET_NAME.test(name)) secrets.push(text);
    return text;
  };

  const expanded = text.replace(REFERENCE, (match: string, inner: string | undefined, place: number) =>
    isEscape(match) ? '${' : spell(lookUp(match, inner ?? ''), place),
  );
  return { text: expanded, referenced, secrets, values, problems, missing, empty };
}
