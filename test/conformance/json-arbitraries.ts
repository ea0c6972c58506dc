/** Generated tables and options, dense in what matters to JSON. */
import fc from 'fast-check';
import type { JsonOptions } from '../../src/encoders/json/json.ts';
import { type Table, tableOf, textOf } from './value-arbitraries.ts';

/** What the configuration gives when nothing is set. */
export const DEFAULT_JSON_OPTIONS: JsonOptions = { layout: 'array', numbers: 'number', nulls: 'include' };

export const ALL_JSON_OPTIONS: readonly JsonOptions[] = (['array', 'lines'] as const).flatMap(layout =>
  (['number', 'string'] as const).flatMap(numbers =>
    (['include', 'omit'] as const).map(nulls => ({ layout, numbers, nulls })),
  ),
);

const PIECES = [
  ...['"', '\\', '/', '\b', '\t', '\n', '\f', '\r', '\0', '\u0001', '\u001f', '\u007f', '\u0080', '\u0085'],
  ...[
    '\u009f',
    '\u00a0',
    '£',
    'é',
    '漢',
    '😀',
    '\u2028',
    '\u2029',
    '\ufeff',
    '\ufffd',
    '\uffff',
    'a',
    '\\u0041',
  ],
];
/** What a key of an object may not be without care. */
const NAMES = ['__proto__', 'constructor', 'toJSON', '2', '1', '', 'a', 'A', 'a ', '"', 'é', '😀', '\u0085'];

export const jsonText = (): fc.Arbitrary<string> => textOf(PIECES);

export interface JsonTable extends Table {
  readonly options: JsonOptions;
}

/** No two columns share a name: the mapping sees to that. */
export function jsonTable(): fc.Arbitrary<JsonTable> {
  const name = fc.oneof(fc.constantFrom(...NAMES), jsonText());
  return fc
    .tuple(tableOf({ text: jsonText(), name }), fc.constantFrom(...ALL_JSON_OPTIONS))
    .filter(([{ columns }]) => new Set(columns.map(({ name: called }) => called)).size === columns.length)
    .map(([table, options]) => ({ ...table, options }));
}
