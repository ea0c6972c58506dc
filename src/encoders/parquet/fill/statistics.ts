import { physicalWidth } from '../file/parquet-schema.ts';
import type { ParquetColumn } from '../parquet-column.ts';
import { Word } from './column-memory.ts';

/**
 * A value that no value of a column chunk is below, and one that none is above, in plain
 * encoding.
 */
export interface Bounds {
  readonly least: Buffer;
  /** Absent where a value begins with the greatest that can be kept. */
  readonly most: Buffer | undefined;
  /** Whether they are values themselves: those of texts are cut off. */
  readonly isLeastExact: boolean;
  readonly isMostExact: boolean;
}

/**
 * @param at word of the column in the memory
 * @returns `undefined` where there is no value, or one that is neither above nor below
 * another
 */
export function boundsOf(
  column: ParquetColumn,
  memory: Buffer,
  words: Int32Array,
  at: number,
): Bounds | undefined {
  if (words[at + Word.hasBounds] === 0 || words[at + Word.hasNaN] !== 0) return undefined;
  const { kind, width } = column;
  const [least, most] = [4 * (at + Word.least), 4 * (at + Word.most)];
  const exact = (least: Buffer, most: Buffer): Bounds => ({
    least,
    most,
    isLeastExact: true,
    isMostExact: true,
  });
  const copy = (start: number, length: number): Buffer => Buffer.from(memory.subarray(start, start + length));
  if (width === 0) {
    return boundsOfBytes(
      copy(least, words[at + Word.leastLength]!),
      words[at + Word.leastCut] !== 0,
      copy(most, words[at + Word.mostLength]!),
      words[at + Word.mostCut] !== 0,
      kind !== 'bytes',
    );
  }
  switch (kind) {
    case 'boolean':
      return exact(copy(least, 1), copy(most, 1));
    case 'float32':
      return exact(float32(memory.readDoubleLE(least), -0), float32(memory.readDoubleLE(most), 0));
    case 'float64':
      return exact(float64(memory.readDoubleLE(least), -0), float64(memory.readDoubleLE(most), 0));
    case 'uuid':
      return exact(copy(least, width), copy(most, width));
    case 'decimal': {
      const bytes = physicalWidth(column);
      if (bytes <= 8) return exact(copy(least, bytes), copy(most, bytes));
      return exact(copy(least, bytes).reverse(), copy(most, bytes).reverse());
    }
    default:
      return exact(copy(least, physicalWidth(column)), copy(most, physicalWidth(column)));
  }
}

/** Zeros of both signs are equal: the bound is the one that has the other within. */
function float64(value: number, zero: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value === 0 ? zero : value);
  return bytes;
}

function float32(value: number, zero: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeFloatLE(value === 0 ? zero : value);
  return bytes;
}

function boundsOfBytes(
  least: Buffer,
  isLeastCut: boolean,
  most: Buffer,
  isMostCut: boolean,
  isText: boolean,
): Bounds {
  const bytes = isLeastCut && isText ? wholeCharacters(least) : least;
  return {
    least: bytes,
    most: isMostCut ? (isText ? nextText(wholeCharacters(most)) : nextBytes(most)) : most,
    isLeastExact: !isLeastCut,
    isMostExact: !isMostCut,
  };
}

/** Without what is left of a character at the end. */
function wholeCharacters(text: Buffer): Buffer {
  let start = text.length - 1;
  while (start > 0 && (text[start]! & 0xc0) === 0x80) start--;
  const lead = text[start]!;
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return start + length > text.length ? text.subarray(0, start) : text;
}

/** The first of the same length or less that is above everything that begins so. */
function nextBytes(bytes: Buffer): Buffer | undefined {
  for (let last = bytes.length - 1; last >= 0; last--) {
    if (bytes[last] === 0xff) continue;
    const next = Buffer.from(bytes.subarray(0, last + 1));
    next[last]!++;
    return next;
  }
  return undefined;
}

const LAST_BEFORE_SURROGATES = 0xd7ff;
const LAST_CHARACTER = 0x10ffff;

/** The same in whole characters: the order of UTF-8 is that of code points. */
function nextText(text: Buffer): Buffer | undefined {
  const characters = [...text.toString()];
  for (let last = characters.length - 1; last >= 0; last--) {
    const code = characters[last]!.codePointAt(0)!;
    if (code === LAST_CHARACTER) continue;
    const next = code === LAST_BEFORE_SURROGATES ? 0xe000 : code + 1;
    return Buffer.from(characters.slice(0, last).join('') + String.fromCodePoint(next));
  }
  return undefined;
}
