import { createHash } from 'node:crypto';
import type { ResolvedFormat } from '../../config/activation.ts';
import type { Column } from '../../row-batch.ts';
import type { BlobProperties } from '../../sinks/sink.ts';
import { classOfKind } from '../../transforms/baseline-identity.ts';

/**
 * What a file that is appended to says of itself, so that a later run knows where to go
 * on, and which rows are of a run that was decided and could not be published whole.
 */

/** Rows of the file, and those that it had before the run that its metadata names. */
export const ROWS_METADATA = 'sluice_rows';
export const ROWS_BEFORE_METADATA = 'sluice_rows_before';

/**
 * In the place of rows before: the run overwrote a file with published rows. Nothing can
 * bring those back.
 */
export const BEGUN_ANEW = 'replaced';

/**
 * Tells documents of other options apart: rows of two kinds in one file could not be
 * read.
 */
export const FORMAT_METADATA = 'sluice_format';

/** Options that give the same document. */
const NOT_OF_THE_DOCUMENT: readonly string[] = ['engine', 'level', 'checksums'];

/** The same for the options that give the same document. */
export function formatOptions(format: ResolvedFormat): string {
  const options = Object.entries(format)
    .filter(([name]) => !NOT_OF_THE_DOCUMENT.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 16);
}

/** Tells parts of other columns apart: rows with other columns begin the next part. */
export const COLUMNS_METADATA = 'sluice_columns';

export function columnsText(columns: readonly Pick<Column, 'name' | 'kind'>[]): string {
  const text = JSON.stringify(columns.map(({ name, kind }) => [name, classOfKind(kind)]));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * The run that began the file: a part that names another is left of an older file of the
 * same name.
 */
export const SINCE_METADATA = 'sluice_since';

type Metadata = BlobProperties['metadata'];

/** `generation` is the one that was published last. */
export function isWithdrawn(metadata: Metadata, generation: number): boolean {
  return Number(metadata['generation']) > generation;
}

/** Whether a part that Sluice wrote holds no row that was ever published. */
export function isBare({ metadata, bytes }: BlobProperties, activation: string, generation: number): boolean {
  if (metadata['sluice'] !== activation) return false;
  if (bytes === 0) return metadata[ROWS_METADATA] === '0';
  return isWithdrawn(metadata, generation) && metadata[ROWS_BEFORE_METADATA] === '0';
}

/** Whether it is left of an older file of the same name, which `since` did not begin. */
export function isOfOlderFile(
  { metadata }: Pick<BlobProperties, 'metadata'>,
  activation: string,
  since: string | undefined,
): boolean {
  const begun = metadata[SINCE_METADATA];
  return metadata['sluice'] === activation && begun !== undefined && begun !== since;
}

export const PART_METADATA = 'part';

/**
 * Whether it is part of another file of the activation: the value of a partition may end
 * as a name with the number of a part does.
 */
export function isOfOtherFile(
  { metadata }: Pick<BlobProperties, 'metadata'>,
  activation: string,
  part: number,
): boolean {
  const { [PART_METADATA]: own = String(part) } = metadata;
  return metadata['sluice'] === activation && own !== String(part);
}
