import { isAscii, isUtf8 } from 'node:buffer';

/** Encodings of a text file; names as readers know them. */
export type CharacterEncoding = 'utf-8' | 'utf-16le' | 'windows-1252' | 'iso-8859-1';

/** What an encoding can hold, and how it is written. */
export interface CharacterSet {
  /** What of a text in UTF-8 it does not have, for people; undefined where it has all. */
  misfitOf(text: Buffer): string | undefined;
  /** The text with another character for each that it does not have. */
  replaced(text: Buffer): string;
  /** Every character is in it. */
  encode(text: string): Buffer;
  decode(bytes: Buffer): string;
}

const NOT_UTF8 = 'bytes that are not UTF-8';

/**
 * What stands in Windows-1252 from 0x80 to 0x9F; a space is a byte without a character.
 */
const WINDOWS_1252 = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';
const FIRST_OF_WINDOWS = 0x80;

class Unicode implements CharacterSet {
  readonly #name: 'utf8' | 'utf16le';

  constructor(name: 'utf8' | 'utf16le') {
    this.#name = name;
  }

  misfitOf(text: Buffer): string | undefined {
    return isUtf8(text) ? undefined : NOT_UTF8;
  }

  replaced(text: Buffer): string {
    return text.toString();
  }

  encode(text: string): Buffer {
    return Buffer.from(text, this.#name);
  }

  decode(bytes: Buffer): string {
    return bytes.toString(this.#name);
  }
}

class SingleBytes implements CharacterSet {
  readonly #characters: readonly string[];
  readonly #byteOf: ReadonlyMap<string, number>;

  constructor(characters: readonly string[]) {
    this.#characters = characters;
    this.#byteOf = new Map(characters.map((character, byte) => [character, byte]));
  }

  misfitOf(text: Buffer): string | undefined {
    if (isAscii(text)) return undefined;
    if (!isUtf8(text)) return NOT_UTF8;
    for (const character of text.toString()) {
      if (this.#byteOf.has(character)) continue;
      const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      return `the character ${JSON.stringify(character)} (U+${code})`;
    }
    return undefined;
  }

  replaced(text: Buffer): string {
    return Array.from(text.toString(), character => (this.#byteOf.has(character) ? character : '?')).join('');
  }

  encode(text: string): Buffer {
    return Buffer.from(Array.from(text, character => this.#byteOf.get(character)!));
  }

  decode(bytes: Buffer): string {
    return Array.from(bytes, byte => this.#characters[byte]!).join('');
  }
}

const sets = new Map<CharacterEncoding, CharacterSet>();

export function characterSetOf(encoding: CharacterEncoding): CharacterSet {
  const known = sets.get(encoding) ?? create(encoding);
  sets.set(encoding, known);
  return known;
}

function create(encoding: CharacterEncoding): CharacterSet {
  switch (encoding) {
    case 'utf-8':
      return new Unicode('utf8');
    case 'utf-16le':
      return new Unicode('utf16le');
    default:
      return new SingleBytes(charactersOf(encoding));
  }
}

/**
 * The character of each byte. `TextDecoder` is of no use: to it iso-8859-1 is another
 * name of windows-1252, which some versions of Node.js decode as iso-8859-1 in turn.
 */
function charactersOf(encoding: 'windows-1252' | 'iso-8859-1'): string[] {
  const characters = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  if (encoding === 'iso-8859-1') return characters;
  [...WINDOWS_1252].forEach((character, index) => {
    // A byte without a character stands for the control character of its number, as the
    // index of the WHATWG has it.
    if (character !== ' ') characters[FIRST_OF_WINDOWS + index] = character;
  });
  return characters;
}
