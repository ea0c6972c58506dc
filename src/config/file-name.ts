/**
 * File names: from the template of an activation and one instant to the names of blobs,
 * and the rules that keep a name inside its container.
 *
 * A name is made of: FOLDER/ STEM CHANGE PART EXTENSION, as in `crm/2025/customers`
 * `_added` `_part00002` `.csv.gz`. Of a partition the stem holds the values.
 */

import { SluiceError } from '../errors.ts';
import type { ChangeName } from '../row-batch.ts';
import { FILE_COMPRESSIONS } from './format-kinds.ts';
import { escapePartition, safeSegments } from './partition-name.ts';
import { wallClock } from './wall-clock.ts';

export const MAX_NAME_CHARACTERS = 1024;
export const MAX_NAME_SEGMENTS = 254;

/** Folder of the manifests, within the folder of the destination. */
export const MANIFEST_FOLDER = '_sluice';

/** Every placeholder of a template and what it stands for. */
export const PLACEHOLDERS = {
  YYYY: 'year, four digits',
  YY: 'year, last two digits',
  MM: 'month, 01 to 12',
  DD: 'day of the month, 01 to 31',
  HH: 'hour, 00 to 23',
  mm: 'minute, 00 to 59',
  ss: 'second, 00 to 59',
  ms: 'millisecond, 000 to 999',
  X: 'Unix time in seconds',
  x: 'Unix time in milliseconds',
  run: 'id of the run',
  activation: 'name of the activation',
  model: 'name of the model',
  mode: 'sync mode',
  kind: 'what the run exports, `full` or `delta`',
  part: 'number of the part, 00001 and up',
} as const;

/** `param.day` stands for the value of the query's parameter `day`. */
export type Placeholder = keyof typeof PLACEHOLDERS | `param.${string}`;
export type TemplateToken =
  | { readonly literal: string }
  | { readonly placeholder: Placeholder }
  /** The value of a column that files are partitioned by. */
  | { readonly column: string };

/** Which parameters a template names, and whether it has the id of the run. */
export function placeholdersOf(template: string): {
  readonly params: readonly string[];
  readonly run: boolean;
} {
  const words = Array.from(template.matchAll(/\{([\w.]+)\}/g), ([, word = '']) => word);
  const params = words.filter(word => word.startsWith('param.')).map(word => word.slice('param.'.length));
  return { params: [...new Set(params)], run: words.includes('run') };
}

/** The change whose rows a file of `difference` holds. */
export type FileChange = Extract<ChangeName, 'added' | 'updated' | 'removed'>;

/** Whether a file holds every row or the changes of a delta run. */
export type FileKind = 'full' | 'delta';

export function fileKind(full: boolean): FileKind {
  return full ? 'full' : 'delta';
}

/** What the runs of an activation may export. */
export function fileKinds(runType: 'full_only' | 'full_then_delta'): readonly FileKind[] {
  return runType === 'full_only' ? ['full'] : ['full', 'delta'];
}

/** Whether the name is known only once it is known what the run exports. */
export function dependsOnKind(template: string): boolean {
  return parseTemplate(template).some(token => 'placeholder' in token && token.placeholder === 'kind');
}

/**
 * A resolved name before change, part and folder are added. Plain data, so that it can be
 * kept in a journal.
 */
export interface FileName {
  /**
   * Holds `{part}` where the template does, and `{column.0}` where the value of the first
   * column of the partition comes.
   */
  readonly stem: string;
  /** With its leading dot. */
  readonly extension: string;
}

export interface FileNameOptions {
  readonly template: string;
  /** As `extensionOf` gives it. */
  readonly extension: string;
  /** The one instant of the run. */
  readonly instant: Date;
  /** IANA name; default UTC. */
  readonly timezone?: string;
  /** Milliseconds added to the instant first; may be negative. */
  readonly timestampOffset?: number;
  readonly run: string;
  readonly activation: string;
  readonly model: string;
  /** The sync mode. */
  readonly mode: string;
  readonly kind: FileKind;
  /** Columns that files are partitioned by. */
  readonly partitionBy?: readonly string[] | undefined;
  /** Values of parameters, as they stand in names. */
  readonly params?: Readonly<Record<string, string>> | undefined;
}

/** FILE_NAME_INVALID, with the reason apart for messages that must not show the name. */
export class FileNameInvalidError extends SluiceError {
  /** As it follows the name: `must not …`; holds nothing of the name. */
  readonly reason: string;

  constructor(name: string, reason: string) {
    super('FILE_NAME_INVALID', `file name ${JSON.stringify(shortened(name))} ${reason}`, {
      stage: 'configuration',
    });
    this.reason = reason;
  }
}

function shortened(name: string): string {
  return name.length <= 120 ? name : `${name.slice(0, 100)}… (${name.length} characters)`;
}

function isPlaceholder(word: string): word is Placeholder {
  return Object.hasOwn(PLACEHOLDERS, word) || /^param\.\w+$/.test(word);
}

/**
 * The literals and placeholders of a template. Throws FILE_NAME_INVALID for an unknown or
 * unclosed placeholder.
 */
export function parseTemplate(template: string): TemplateToken[] {
  const tokens: TemplateToken[] = [];
  for (const [piece] of template.matchAll(/\{[^{}]*\}|[^{}]+|[{}]/g)) {
    const word = piece.slice(1, -1);
    if (!/^[{}]/.test(piece)) tokens.push({ literal: piece });
    else if (isPlaceholder(word)) tokens.push({ placeholder: word });
    else if (/^column\../s.test(word)) tokens.push({ column: word.slice('column.'.length) });
    else {
      const known = [...Object.keys(PLACEHOLDERS), 'param.NAME'].map(name => `{${name}}`);
      const why =
        piece.length > 1 ? 'must not hold an unknown placeholder' : `must not hold a single ${piece}`;
      throw new FileNameInvalidError(template, `${why}; there are ${known.join(' ')}`);
    }
  }
  return tokens;
}

/**
 * Cuts the extension off a name that has it already, in any case and with or without the
 * ending of its compression.
 */
export function splitExtension(name: string, extension: string): FileName {
  if (extension === '') return { stem: name, extension };
  const lower = name.toLowerCase();
  if (lower.endsWith(extension.toLowerCase())) {
    return { stem: name.slice(0, -extension.length), extension: name.slice(-extension.length) };
  }
  const compressed = Object.values(FILE_COMPRESSIONS).find(ending => extension.endsWith(ending)) ?? '';
  const plain = extension.slice(0, extension.length - compressed.length);
  if (compressed !== '' && lower.endsWith(plain)) {
    return { stem: name.slice(0, -plain.length), extension: name.slice(-plain.length) + compressed };
  }
  return { stem: name, extension };
}

type ClockPlaceholder = Exclude<
  keyof typeof PLACEHOLDERS,
  'run' | 'activation' | 'model' | 'mode' | 'kind' | 'part'
>;

function clockValues(instant: Date, timezone: string): Record<ClockPlaceholder, string> {
  const { year, month, day, hour, minute, second } = wallClock(instant, timezone);
  return {
    YYYY: year,
    YY: year.slice(-2),
    MM: month,
    DD: day,
    HH: hour,
    mm: minute,
    ss: second,
    ms: String(instant.getUTCMilliseconds()).padStart(3, '0'),
    X: String(Math.floor(instant.getTime() / 1000)),
    x: String(instant.getTime()),
  };
}

/** What each placeholder stands for in a run; `{part}` stands for itself. */
export function placeholderValues(
  options: Omit<FileNameOptions, 'template' | 'extension' | 'partitionBy'>,
): PlaceholderValues {
  const instant = new Date(options.instant.getTime() + (options.timestampOffset ?? 0));
  if (Number.isNaN(instant.getTime())) throw new TypeError('the instant of a file name is not a valid date');
  return {
    ...clockValues(instant, options.timezone ?? 'UTC'),
    run: options.run,
    activation: options.activation,
    model: options.model,
    mode: options.mode,
    kind: options.kind,
    part: '{part}',
    ...Object.fromEntries(
      Object.entries(options.params ?? {}).map(([name, value]) => [`param.${name}`, value]),
    ),
  };
}

export type PlaceholderValues = Readonly<Record<Placeholder, string>>;

/** What a placeholder stands for; a parameter that has no value yet, for itself. */
export function placeholderText(placeholder: Placeholder, values: PlaceholderValues): string {
  return values[placeholder] ?? `{${placeholder}}`;
}

/** Whether a name holds values of a partition. */
export function isPartitioned({ stem }: FileName): boolean {
  return VALUE.test(stem);
}

const VALUE = /\{column\.\d+\}/;
const VALUES = new RegExp(VALUE, 'g');

/** The folder above the first value of a partition, '' or with a trailing `/`. */
export function folderAbovePartitions({ stem }: FileName, folder: string): string {
  const [above = ''] = stem.split(VALUE, 1);
  return `${normalizeFolder(folder)}${above.slice(0, above.lastIndexOf('/') + 1)}`;
}

/** Where a template names no column itself, folders `COLUMN=VALUE/` hold the values. */
function withPartitions(stem: string, tokens: readonly TemplateToken[], by: readonly string[]): string {
  const named = new Set(tokens.flatMap(token => ('column' in token ? [token.column] : [])));
  if (named.size === 0) {
    const last = stem.lastIndexOf('/') + 1;
    const folders = by.map((column, index) => `${escapePartition(column)}={column.${index}}/`);
    return stem.slice(0, last) + folders.join('') + stem.slice(last);
  }
  if ([...named].some(column => !by.includes(column)))
    throw new FileNameInvalidError(
      stem,
      'must not hold the value of a column that partitionBy does not name',
    );
  if (!by.every(column => named.has(column)))
    throw new FileNameInvalidError(
      stem,
      'must hold the values of all columns of partitionBy or of none, so that each partition has a name of its own',
    );
  return stem;
}

/**
 * The name of a run's files. Everything but `{part}` and the values of a partition is
 * resolved, once.
 *
 * Throws FILE_NAME_INVALID when the template has an unknown placeholder or the name
 * breaks a rule.
 */
export function resolveFileName(options: FileNameOptions): FileName {
  const { template, partitionBy = [] } = options;
  const values = placeholderValues(options);
  const tokens = parseTemplate(template);
  const plain = tokens
    .map(token => {
      if ('column' in token) return `{column.${partitionBy.indexOf(token.column)}}`;
      return 'literal' in token ? token.literal : placeholderText(token.placeholder, values);
    })
    .join('');
  const resolved = withPartitions(plain, tokens, partitionBy);
  checkBlobName(resolved);
  const name = splitExtension(resolved, options.extension);
  if (/(?:^|\/)$/.test(name.stem))
    throw new FileNameInvalidError(resolved, 'must have something before its extension');
  checkBlobName(partName(name, 1));
  return name;
}

export interface PartNameOptions {
  /** Only for a `difference` file. */
  readonly change?: FileChange;
  /** The destination's, as in the configuration. */
  readonly folder?: string;
  /** The values of a partition, as `partitionText` makes them. */
  readonly partition?: readonly string[] | undefined;
}

/**
 * The blob name of one part, counted from 1, folder included. Part 1 keeps the plain name
 * unless the template has `{part}`. Throws FILE_NAME_INVALID when the whole name breaks a
 * rule.
 */
export function partName(name: FileName, part: number, options: PartNameOptions = {}): string {
  if (!Number.isInteger(part) || part < 1) throw new TypeError(`a part number is 1 or more, not ${part}`);
  const number = String(part).padStart(5, '0');
  const numbered = name.stem.includes('{part}');
  const stem = name.stem.replaceAll('{part}', number);
  const change = options.change === undefined ? '' : `_${options.change}`;
  const suffix = numbered || part === 1 ? '' : `_part${number}`;
  const { folder = '', partition } = options;
  const nameOf = (resolved: string): string =>
    `${normalizeFolder(folder)}${resolved}${change}${suffix}${name.extension}`;
  if (partition === undefined) {
    checkBlobName(nameOf(stem));
    return nameOf(stem);
  }
  const valued = stem.replace(VALUES, place => partition[Number(place.slice(8, -1))]!);
  const full = safeSegments(nameOf(valued), MANIFEST_FOLDER);
  checkName(full, NAME_RULES);
  return full;
}

/**
 * A folder as a prefix: '' or with one trailing `/`. Throws FILE_NAME_INVALID when it
 * breaks the rules of names.
 */
export function normalizeFolder(folder: string): string {
  if (folder === '') return '';
  const path = folder.endsWith('/') ? folder.slice(0, -1) : folder;
  if (/[{}]/.test(path))
    throw new FileNameInvalidError(folder, 'must not hold placeholders, since it is a folder');
  checkBlobName(path);
  return `${path}/`;
}

type NameRule = readonly [broken: (name: string) => boolean, why: string];

const DOTS = 'must not have a segment . or .., which could leave the container';

/** What a blob name must not be, with the reason as it ends the message. */
const NAME_RULES: readonly NameRule[] = [
  [name => name === '', 'must not be empty'],
  [name => name.length > MAX_NAME_CHARACTERS, `must not be longer than ${MAX_NAME_CHARACTERS} characters`],
  [name => name.startsWith('/'), 'must not start with /'],
  [name => name.endsWith('/'), 'must not end with /'],
  [name => name.includes('\\'), 'must not hold a backslash; folders are made with /'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  [name => /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name), 'must not hold a control character'],
  [name => /[\ufffe\uffff]|\p{Surrogate}/u.test(name), 'must not hold a code point that is not a character'],
  [
    name => name.split('/').length > MAX_NAME_SEGMENTS,
    `must not have more than ${MAX_NAME_SEGMENTS} segments`,
  ],
  [name => name.split('/').includes(''), 'must not have an empty segment (//)'],
  [name => hasSegment(name, /^\.{1,2}$/), DOTS],
  [
    name => name.split('/').some(segment => segment.endsWith('.')),
    'must not have a segment that ends with a dot',
  ],
  [
    name => name.split('/').includes(MANIFEST_FOLDER),
    `must not have a segment ${MANIFEST_FOLDER}, kept for manifests`,
  ],
];

function hasSegment(name: string, pattern: RegExp): boolean {
  return name.split('/').some(segment => pattern.test(segment));
}

/**
 * Nor the encoded spelling, which a server may decode into a path; where values are
 * encoded it is ours, and the percent sign is encoded on the way.
 */
const TEMPLATE_RULES: readonly NameRule[] = [
  ...NAME_RULES,
  [name => hasSegment(name, /^(?:\.|%2e){1,2}$/i), DOTS],
];

/**
 * Throws FILE_NAME_INVALID when the text cannot be the name of a blob that Sluice writes.
 */
export function checkBlobName(name: string): void {
  checkName(name, TEMPLATE_RULES);
}

function checkName(name: string, rules: readonly NameRule[]): void {
  const broken = rules.find(([isBroken]) => isBroken(name));
  if (broken !== undefined) throw new FileNameInvalidError(name, broken[1]);
}
