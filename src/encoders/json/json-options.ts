import type { Column, ColumnKind } from '../../row-batch.ts';

/** Options of the JSON format, as the configuration names them. */
export interface JsonOptions {
  readonly layout: 'array' | 'lines';
  /** How 64-bit integers and numerics are written; the other numbers are numbers. */
  readonly numbers: 'number' | 'string';
  readonly nulls: 'include' | 'omit';
}

/**
 * The file around the rows. Array: `[`, an object a line with the comma before its line
 * break, `]`. Lines: an object a line and nothing else.
 */
export interface JsonFrame {
  readonly head: Buffer;
  /** Before the first object, and before each other one. */
  readonly firstLead: Buffer;
  readonly lead: Buffer;
  /** After each object. */
  readonly trail: Buffer;
  readonly emptyTail: Buffer;
  readonly tail: Buffer;
}

const bytes = (text: string): Buffer => Buffer.from(text);

export const JSON_FRAMES: { readonly [Layout in JsonOptions['layout']]: JsonFrame } = {
  array: {
    head: bytes('['),
    firstLead: bytes('\n'),
    lead: bytes(',\n'),
    trail: bytes(''),
    emptyTail: bytes(']\n'),
    tail: bytes('\n]\n'),
  },
  lines: {
    head: bytes(''),
    firstLead: bytes(''),
    lead: bytes(''),
    trail: bytes('\n'),
    emptyTail: bytes(''),
    tail: bytes(''),
  },
};

/**
 * What a field becomes. `float`: a number, where it is one; NaN and the infinities, for
 * which JSON has no number, are strings. `text`: a string of any characters; `plain`: a
 * string of characters that need no escape.
 */
export type JsonForm = 'boolean' | 'integer' | 'float' | 'document' | 'timestamp' | 'plain' | 'text';

export function jsonForm({ kind }: Column, { numbers }: Pick<JsonOptions, 'numbers'>): JsonForm {
  if (numbers === 'string' && (kind === 'int64' || kind === 'numeric')) return 'plain';
  return FORMS[kind];
}

const FORMS: { readonly [Kind in ColumnKind]: JsonForm } = {
  boolean: 'boolean',
  int16: 'integer',
  int32: 'integer',
  int64: 'integer',
  float32: 'float',
  float64: 'float',
  numeric: 'float',
  date: 'plain',
  time: 'plain',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  uuid: 'plain',
  json: 'document',
  // `\x00ff`, as PostgreSQL writes it and its own to_json does.
  bytes: 'text',
  text: 'text',
};
