import { isUtf8 } from 'node:buffer';
import { jsonParser, type Token } from 'stream-json/core/parser.js';

export type ScalarType = 'string' | 'number' | 'boolean' | 'null';

/** Hears the members of a row, one after the other: a key, then its value. */
export interface RowListener {
  key(name: string): void;
  /** Strings come decoded, all else as the file has it. */
  scalar(type: ScalarType, text: string): void;
  startDocument(): void;
  /**
   * Goes on with the object or array: JSON without whitespace, digits and order of keys
   * as in the file.
   */
  documentText(text: string): void;
  endDocument(): void;
}

/**
 * So much is given to stream-json at a time: its tokens take many times the space of
 * their text.
 */
const SLICE_CHARACTERS = 16 * 1024;

/**
 * Feeds the texts of rows to stream-json's tokenizer and tells a listener what is in
 * them.
 */
export class RowParser {
  readonly #listener: RowListener;
  /** One for all rows, which it takes for the elements of one array that has no end. */
  readonly #parse = jsonParser({ packValues: true, streamValues: false }) as unknown as (text: string) => {
    readonly values?: readonly Token[];
  };
  #depth = 0;
  #objects = 0;
  /** Within a document: whether what comes next is preceded by a comma. */
  #needsComma = false;

  constructor(listener: RowListener) {
    this.#listener = listener;
    this.#parse('[');
  }

  /**
   * Whether the text is one object. What the listener throws is thrown; after false or an
   * error the parser is done.
   */
  parse(bytes: Buffer): boolean {
    if (!isUtf8(bytes)) return false;
    this.#objects = 0;
    const text = bytes.toString('utf8');
    for (let from = 0; from < text.length; from += SLICE_CHARACTERS) {
      const tokens = this.#tokens(
        text.length <= SLICE_CHARACTERS ? text : text.slice(from, from + SLICE_CHARACTERS),
      );
      if (tokens === undefined) return false;
      for (const token of tokens) if (!this.#take(token)) return false;
    }
    return this.#depth === 0 && this.#objects === 1 && this.#isBetweenRows();
  }

  /**
   * Whether nothing follows the object: the tokenizer may hold the beginning of a
   * literal, a number or a string back, and would take it for the beginning of the next
   * row. A null between the rows must come out alone.
   */
  #isBetweenRows(): boolean {
    const tokens = this.#tokens(',null,');
    return tokens?.length === 1 && tokens[0]!.name === 'nullValue';
  }

  #tokens(text: string): readonly Token[] | undefined {
    try {
      return this.#parse(text).values ?? [];
    } catch {
      return undefined;
    }
  }

  // hot: a call for each token of a source
  #take(token: Token): boolean {
    const depth = this.#depth;
    if (depth > 1) {
      this.#takeInner(token);
      return true;
    }
    const listener = this.#listener;
    switch (token.name) {
      case 'keyValue':
        listener.key(token.value);
        break;
      case 'startObject':
      case 'startArray':
        if (depth === 0) {
          if (token.name === 'startArray' || this.#objects > 0) return false;
          this.#objects++;
        } else {
          listener.startDocument();
          listener.documentText(token.name === 'startArray' ? '[' : '{');
          this.#needsComma = false;
        }
        this.#depth++;
        break;
      case 'endObject':
        this.#depth--;
        break;
      case 'endArray':
        return false;
      default: {
        if (depth === 0) return false;
        const [type, text] = scalarOf(token);
        listener.scalar(type, text);
      }
    }
    return true;
  }

  #takeInner(token: Token): void {
    const listener = this.#listener;
    switch (token.name) {
      case 'endObject':
      case 'endArray':
        listener.documentText(token.name === 'endArray' ? ']' : '}');
        this.#needsComma = true;
        if (--this.#depth === 1) listener.endDocument();
        return;
      case 'keyValue':
        listener.documentText(`${this.#needsComma ? ',' : ''}${JSON.stringify(token.value)}:`);
        this.#needsComma = false;
        return;
      case 'startObject':
      case 'startArray':
        listener.documentText(`${this.#needsComma ? ',' : ''}${token.name === 'startArray' ? '[' : '{'}`);
        this.#needsComma = false;
        this.#depth++;
        return;
      default: {
        const [type, text] = scalarOf(token);
        listener.documentText(
          `${this.#needsComma ? ',' : ''}${type === 'string' ? JSON.stringify(text) : text}`,
        );
        this.#needsComma = true;
      }
    }
  }
}

function scalarOf(token: Token): [ScalarType, string] {
  switch (token.name) {
    case 'stringValue':
      return ['string', token.value];
    case 'numberValue':
      return ['number', token.value];
    case 'trueValue':
      return ['boolean', 'true'];
    case 'falseValue':
      return ['boolean', 'false'];
    case 'nullValue':
      return ['null', 'null'];
    default:
      throw new TypeError(`stream-json sent a token ${token.name} that it was not asked for`);
  }
}
