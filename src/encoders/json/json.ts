import type { Column } from '../../row-batch.ts';
import type { OutputBuffer } from '../encoder.ts';
import { RowEncoder } from '../text/row-encoder.ts';
import { type RowForm, Way } from '../text/row-form.ts';
import { JSON_FRAMES, type JsonForm, type JsonFrame, type JsonOptions, jsonForm } from './json-options.ts';
import { ESCAPES, escaped, LONG_ESCAPE_BYTES, writeCompact } from './json-text.ts';

export type { JsonOptions } from './json-options.ts';

const WAYS = {
  integer: Way.copy,
  plain: Way.copy,
  float: Way.number,
  boolean: Way.boolean,
  timestamp: Way.timestamp,
  document: Way.document,
  text: Way.text,
} as const satisfies { readonly [Form in JsonForm]: Way };
/** What is a string in any case. */
const STRINGS: ReadonlySet<JsonForm> = new Set(['plain', 'timestamp', 'text']);

const OPEN_BRACE = 0x7b;

/**
 * JSON (RFC 8259) or NDJSON from row bytes: numbers with the digits that the database
 * sent, json and jsonb as they are. Bytes that are not UTF-8 are refused.
 */
export class JsonEncoder extends RowEncoder {
  readonly beginBytes: number;
  readonly endBytes: number;
  readonly #frame: JsonFrame;

  constructor(columns: readonly Column[], options: JsonOptions) {
    const frame = JSON_FRAMES[options.layout];
    const perByte = columns.some(column => jsonForm(column, options) === 'text') ? LONG_ESCAPE_BYTES : 1;
    super('JSON', columns, rowForm(columns, options, frame), { perByte, perRow: 0 });
    this.#frame = frame;
    this.beginBytes = frame.head.length;
    this.endBytes = frame.tail.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#frame.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    const tail = this.rowCount > 0 ? this.#frame.tail : this.#frame.emptyTail;
    out.position += tail.copy(out.bytes, out.position);
  }

  /** A document whose line breaks would end its line. */
  override writeValue(_field: number, memory: Buffer, start: number, end: number, at: number): number {
    return writeCompact(memory, start, end, at);
  }
}

function rowForm(columns: readonly Column[], options: JsonOptions, frame: JsonFrame): RowForm {
  const { firstLead, lead, trail } = frame;
  return {
    fields: columns.map(column => {
      const form = jsonForm(column, options);
      const quote = STRINGS.has(form) ? '"' : '';
      // The first member's comma becomes the brace.
      const key = `,"${escaped(column.name)}":`;
      return {
        way: WAYS[form],
        open: Buffer.from(key + quote),
        close: Buffer.from(quote),
        null: Buffer.from(options.nulls === 'omit' ? '' : `${key}null`),
        yes: Buffer.from('true'),
        no: Buffer.from('false'),
      };
    }),
    firstOpen: firstLead,
    open: lead,
    firstByte: OPEN_BRACE,
    close: Buffer.concat([Buffer.from('}'), trail]),
    emptyClose: Buffer.concat([Buffer.from('{}'), trail]),
    escapes: { texts: ESCAPES, coerces: () => false, escapesC1: true, replacesNoncharacters: false },
    // A line break in a document would end its line.
    compactsDocuments: options.layout === 'lines',
  };
}
