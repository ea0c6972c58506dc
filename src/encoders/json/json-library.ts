import type { Token } from 'stream-json/core/parser.js';
import { disassembler } from 'stream-json/disassembler.js';
import { stringer } from 'stream-json/stringer.js';
import type { Column } from '../../row-batch.ts';
import type { OutputBuffer } from '../encoder.ts';
import { iso8601Text, TextRowEncoder, type WrittenRow } from '../text/text-row-encoder.ts';
import type { TypedValue } from '../text/typed-row.ts';
import { JSON_FRAMES, type JsonForm, type JsonFrame, type JsonOptions, jsonForm } from './json-options.ts';

/**
 * JSON as stream-json writes it. The same file as `JsonEncoder`, an order of magnitude
 * slower.
 */
export class JsonLibraryEncoder extends TextRowEncoder {
  readonly beginBytes: number;
  readonly endBytes: number;

  readonly #options: JsonOptions;
  readonly #forms: readonly JsonForm[];
  readonly #frame: JsonFrame;

  constructor(columns: readonly Column[], options: JsonOptions) {
    super(columns, 'JSON');
    this.#options = options;
    this.#forms = columns.map(column => jsonForm(column, options));
    this.#frame = JSON_FRAMES[options.layout];
    this.beginBytes = this.#frame.head.length;
    this.endBytes = this.#frame.tail.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#frame.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    const tail = this.rowCount > 0 ? this.#frame.tail : this.#frame.emptyTail;
    out.position += tail.copy(out.bytes, out.position);
  }

  protected override writeRow(values: readonly TypedValue[], rowCount: number): WrittenRow {
    const { firstLead, lead, trail } = this.#frame;
    const write = stringer({ useValues: true });
    const coerced: number[] = [];
    let text = `${rowCount > 0 ? lead : firstLead}`;
    for (const token of this.#tokens(values, coerced)) {
      const piece: unknown = write(token);
      // Between tokens it gives a symbol of stream-chain's instead of a text.
      if (typeof piece === 'string') text += piece;
    }
    return { text: `${text}${trail}`, coerced };
  }

  /** The row in the tokens that stream-json's parser makes and its stringer takes. */
  *#tokens(values: readonly TypedValue[], coerced: number[]): Generator<Token> {
    yield { name: 'startObject' };
    for (const [index, value] of values.entries()) {
      if (value === null && this.#options.nulls === 'omit') continue;
      yield { name: 'keyValue', value: this.columns[index]!.name };
      if (this.#forms[index] === 'float' && typeof value === 'string' && !isNumber(value))
        coerced.push(index);
      yield* this.#valueTokens(index, value);
    }
    yield { name: 'endObject' };
  }

  #valueTokens(index: number, value: TypedValue): Iterable<Token> {
    if (value === null || typeof value === 'boolean') return disassemble(value);
    switch (this.#forms[index]!) {
      case 'integer':
      case 'float':
        if (typeof value === 'string' && isNumber(value)) return [verbatim(value)];
        return disassemble(value);
      case 'document':
        return [verbatim(this.#options.layout === 'lines' ? onOneLine(`${value}`) : `${value}`)];
      default:
        return disassemble(iso8601Text(this.columns[index]!.kind, `${value}`));
    }
  }
}

const disassemble = disassembler({ streamValues: false });

function isNumber(text: string): boolean {
  return /\d$/.test(text);
}

/**
 * The stringer writes the text of a number as it is, all its digits; so it does with a
 * document.
 */
function verbatim(value: string): Token {
  return { name: 'numberValue', value };
}

/**
 * A document that has line breaks loses all whitespace between its tokens, and nothing
 * else.
 */
function onOneLine(document: string): string {
  if (!/[\r\n]/.test(document)) return document;
  let text = '';
  for (let at = 0; at < document.length; ) {
    const quote = document.indexOf('"', at);
    const betweenEnd = quote < 0 ? document.length : quote;
    text += document.slice(at, betweenEnd).replace(/\s+/g, '');
    if (quote < 0) break;
    at = quote + 1;
    while (document[at] !== '"') at += document[at] === '\\' ? 2 : 1;
    at++;
    text += document.slice(quote, at);
  }
  return text;
}
