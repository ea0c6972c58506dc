/** Names and content of completion files, and the rules that they keep. */

import { CHECKSUMS, DEFAULT_CHECKSUMS } from '../sinks/sink.ts';
import type { DeepReadonly } from './deep-freeze.ts';
import {
  checkBlobName,
  FileNameInvalidError,
  PLACEHOLDERS,
  type PlaceholderValues,
  parseTemplate,
  placeholderText,
} from './file-name.ts';
import type { CompletionConfig } from './schema/schema-completion.ts';

export type Control = DeepReadonly<NonNullable<CompletionConfig['control']>>;
type Values = PlaceholderValues;

/** Stands for the name of a file, in the name of its control file and in its content. */
export const FILE = '{file}';

/** What the content of a control file may name beside the placeholders of names. */
const OF_A_FILE = ['file', 'rows', 'bytes', ...CHECKSUMS] as const;
const OF_A_RUN = ['files', 'rows', 'bytes'] as const;

/** Braces that hold anything but a word are text, so that the content may be JSON. */
const WORD = /\{((?:param\.)?\w+)\}/g;

export function isPerFile({ name }: Pick<Control, 'name'>): boolean {
  return name.includes(FILE);
}

/**
 * A name below the folder of the destination, without `{part}`. Throws FILE_NAME_INVALID.
 */
export function resolveCompletionName(template: string, values: Values, file?: string): string {
  const name = template
    .split(FILE)
    .map(piece => resolved(piece, values))
    .join(file ?? FILE);
  checkBlobName(name);
  return name;
}

function resolved(template: string, values: Values): string {
  return parseTemplate(template)
    .map(token => {
      if ('literal' in token) return token.literal;
      if ('column' in token)
        throw new FileNameInvalidError(
          template,
          'must not hold {column.…}; {file} has the values of a partition',
        );
      if (token.placeholder !== 'part') return placeholderText(token.placeholder, values);
      throw new FileNameInvalidError(template, 'must not hold {part}; {file} has the number of a part');
    })
    .join('');
}

/** `own` are the values of a file or of the run. */
export function resolveContent(
  content: string,
  values: Values,
  own: Readonly<Record<string, string | number>>,
): string {
  const all: Readonly<Record<string, string | number>> = { ...values, ...own };
  return content.replace(WORD, (placeholder, word: string) => String(all[word] ?? placeholder));
}

interface DescribedFiles {
  readonly appends: boolean;
  /** Those that were asked for. */
  readonly checksums: readonly string[] | undefined;
}

/** What is wrong with the content, as it follows the key. */
export function contentFault(
  control: Control,
  { appends, checksums = DEFAULT_CHECKSUMS }: DescribedFiles,
): string | undefined {
  const own: readonly string[] = isPerFile(control) ? OF_A_FILE : OF_A_RUN;
  const general = Object.keys(PLACEHOLDERS).filter(word => word !== 'part');
  for (const [placeholder, word = ''] of control.content.matchAll(WORD)) {
    const isChecksum = (CHECKSUMS as readonly string[]).includes(word);
    // There is one of what a run stages, which of a file that is appended to is not the
    // whole.
    if (isChecksum && appends)
      return `holds ${placeholder}, and with ifExists append no checksum of the whole file is made; leave it out`;
    if (isChecksum && isPerFile(control) && !checksums.includes(word))
      return `holds ${placeholder}, which files do not have; add ${word} to format.checksums`;
    if (own.includes(word) || general.includes(word) || word.startsWith('param.')) continue;
    if ((OF_A_FILE as readonly string[]).includes(word))
      return `holds ${placeholder}, which is of one file; expected a name with {file}, so that each file has a control file`;
    const known = [...own, ...general].map(name => `{${name}}`).join(' ');
    return `holds the unknown placeholder ${placeholder}; there are ${known}`;
  }
  return undefined;
}
