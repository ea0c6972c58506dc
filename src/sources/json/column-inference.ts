import type { Column, ColumnKind } from '../../row-batch.ts';
import { RowFault, shown } from './json-errors.ts';
import type { RowListener, ScalarType } from './row-parser.ts';
import { isInt64 } from './value-text.ts';

/** Keys that are data rather than names would make a column each. */
const MAX_COLUMNS = 10_000;

const Seen = { integer: 1, number: 2, boolean: 4, text: 8, document: 16 } as const;

/**
 * Columns from the first rows: their keys in the order in which they first appear, and
 * the type that holds all values.
 */
export class ColumnInference implements RowListener {
  readonly #columns = new Map<string, { seen: number; row: number }>();
  #current: { seen: number; row: number } | undefined;
  #row = 1;

  key(name: string): void {
    let column = this.#columns.get(name);
    if (column === undefined) {
      if (this.#columns.size === MAX_COLUMNS) throw tooManyColumns();
      assertName(name);
      column = { seen: 0, row: 0 };
      this.#columns.set(name, column);
    } else if (column.row === this.#row) {
      throw repeatedKey(name);
    }
    column.row = this.#row;
    this.#current = column;
  }

  scalar(type: ScalarType, text: string): void {
    if (type === 'null') return;
    const seen =
      type === 'number'
        ? isInt64(text)
          ? Seen.integer
          : Seen.number
        : Seen[type === 'string' ? 'text' : type];
    this.#current!.seen |= seen;
  }

  startDocument(): void {
    this.#current!.seen |= Seen.document;
  }

  documentText(): void {}

  endDocument(): void {}

  endRow(): void {
    this.#row++;
  }

  columns(): Column[] {
    return [...this.#columns].map(([name, { seen }]) => toColumn(name, kindOf(seen)));
  }
}

/**
 * `sourceType` of a column of a JSON file is its kind: files have no types of their own.
 */
export function toColumn(name: string, kind: ColumnKind): Column {
  return { name, source: name, kind, sourceType: kind };
}

function kindOf(seen: number): ColumnKind {
  switch (seen) {
    case Seen.integer:
      return 'int64';
    case Seen.number:
    case Seen.integer | Seen.number:
      return 'numeric';
    case Seen.boolean:
      return 'boolean';
    case Seen.document:
      return 'json';
    default: // texts, a mixture, or nothing but null
      return 'text';
  }
}

export function repeatedKey(name: string): RowFault {
  return new RowFault(
    'SOURCE_QUERY_FAILED',
    `the object has the key ${shown(JSON.stringify(name))} twice, and readers differ in which one counts`,
    'fix the file: each key once in an object',
  );
}

function assertName(name: string): void {
  if (name !== '' && !/\p{Cs}/u.test(name)) return;
  const message = `the key ${shown(JSON.stringify(name))} cannot be the name of a column`;
  throw new RowFault(
    'VALUE_NOT_EXPRESSIBLE',
    message,
    'rename the key, or declare `columns` with `unknownKeys: ignore`',
  );
}

function tooManyColumns(): RowFault {
  return new RowFault(
    'VALUE_NOT_EXPRESSIBLE',
    `the rows have more than ${MAX_COLUMNS} different keys`,
    'declare `columns` of the source',
  );
}
