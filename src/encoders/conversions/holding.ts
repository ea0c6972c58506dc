import { isUtf8 } from 'node:buffer';
import type { Column } from '../../row-batch.ts';
import { jsonForm } from '../json/json-options.ts';
import { xmlForm } from '../xml/xml-options.ts';
import { characterSetOf } from './character-set.ts';
import type { ConversionOptions } from './conversion-options.ts';

/** Which values of a column its file can hold. */
export interface Holding {
  /** What the value has that the file cannot hold, for people. */
  misfitOf(value: Buffer): string | undefined;
  /** The nearest value that it can hold; undefined where there is none. */
  replaced(value: Buffer): string | undefined;
  /** What `replaced` takes at most. */
  bytesBound(bytes: number): number;
}

/** What XML 1.0 does not have, as far as UTF-8 does; see `isCoerced` of its texts. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
const NOT_XML = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;
const NOT_UTF8 = 'bytes that are not UTF-8, which';
/** U+FFFD in the place of one byte. */
const REPLACEMENT_BYTES = 3;

export type HoldingOf = (column: Column, options: ConversionOptions) => Holding | undefined;

/**
 * What text formats can hold. Undefined where nothing is to be looked for: where the
 * column has no such values, or the format alone decides what becomes of them.
 */
export const textHolding: HoldingOf = (column, options) => {
  const { type, encoding = 'utf-8', onUnrepresentable } = options;
  const isText = column.kind === 'text' || column.kind === 'json';
  if (type === 'csv') {
    return isText && (encoding !== 'utf-8' || onUnrepresentable) ? ofEncoding(encoding) : undefined;
  }
  if (onUnrepresentable === undefined) return undefined;
  if (type === 'json') {
    if (isText) return ofTexts('JSON');
    // As a replacement the format has a string.
    const isFloat = jsonForm(column, { numbers: options.numbers ?? 'number' }) === 'float';
    return isFloat && onUnrepresentable !== 'replace' ? JSON_NUMBERS : undefined;
  }
  // As a replacement the format has U+FFFD.
  const misfits = onUnrepresentable === 'replace' ? undefined : NOT_XML;
  return xmlForm(column.kind) === 'text' ? ofTexts('XML', misfits) : undefined;
};

const JSON_NUMBERS: Holding = {
  misfitOf(value) {
    // NaN and the infinities end with a letter.
    const isNumber = value[value.length - 1]! <= 0x39;
    return isNumber ? undefined : `${value.toString()}, which JSON does not have`;
  },
  replaced: () => undefined,
  bytesBound: bytes => bytes,
};

function ofEncoding(encoding: NonNullable<ConversionOptions['encoding']>): Holding {
  const set = characterSetOf(encoding);
  return {
    misfitOf(value) {
      const misfit = set.misfitOf(value);
      return misfit && `${misfit}, which ${encoding} does not have`;
    },
    replaced: value => set.replaced(value),
    bytesBound: bytes => REPLACEMENT_BYTES * bytes,
  };
}

function ofTexts(format: string, misfits?: RegExp): Holding {
  return {
    misfitOf(value) {
      if (!isUtf8(value)) return `${NOT_UTF8} ${format} does not have`;
      const [character] = misfits?.exec(value.toString()) ?? [];
      if (character === undefined) return undefined;
      const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
      return `the character U+${code}, which ${format} does not have`;
    },
    replaced: value => value.toString(),
    bytesBound: bytes => REPLACEMENT_BYTES * bytes,
  };
}
