/** What the configuration knows of each format beside its options: one line each. */

import type { DeepReadonly } from './deep-freeze.ts';
import type { FormatConfig } from './schema/schema-formats.ts';

export type Format = DeepReadonly<FormatConfig>;
type FormatType = Format['type'];

interface FormatKind {
  /** What its files end with, and the options that an ending stands for. */
  readonly endings: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Why no row can be added to a file that is complete; absent where one can. */
  readonly closedBy?: string;
  /** It compresses what is in the file, not the file as a whole. */
  readonly compressesWithin?: true;
}

export const KINDS: { readonly [Type in FormatType]: FormatKind } = {
  csv: { endings: { '.csv': {} } },
  json: { endings: { '.json': { layout: 'array' }, '.ndjson': { layout: 'lines' } } },
  xml: { endings: { '.xml': {} } },
  parquet: { endings: { '.parquet': {} }, closedBy: 'whose footer ends the file', compressesWithin: true },
};

/** Compressions of a file as a whole, and what is added to its name. */
export const FILE_COMPRESSIONS = { gzip: '.gz', zstd: '.zst' } as const;

export type FileCompression = keyof typeof FILE_COMPRESSIONS;

/** What a file as a whole is compressed with, around the format. */
export function fileCompression(format: Format): FileCompression | undefined {
  const { compression } = format;
  if (KINDS[format.type].compressesWithin || !(compression in FILE_COMPRESSIONS)) return undefined;
  return compression as FileCompression;
}

/**
 * The extension that a format's files end with, dot included; '' where they have none.
 */
export function extensionOf(format: Format): string {
  const { extension } = format;
  if (extension !== undefined) return extension === 'none' ? '' : extension;
  const endings = Object.entries(KINDS[format.type].endings);
  const [ending] = endings.find(([, options]) => hasOptions(format, options))!;
  const compression = fileCompression(format);
  return compression === undefined ? ending : `${ending}${FILE_COMPRESSIONS[compression]}`;
}

/** Why no row can be added to a file of the format; undefined where one can. */
export function closedBy(format: Format): string | undefined {
  return KINDS[format.type].closedBy;
}

export function hasOptions(format: Format, options: Readonly<Record<string, string>>): boolean {
  return Object.entries(options).every(([name, value]) => format[name as keyof Format] === value);
}
