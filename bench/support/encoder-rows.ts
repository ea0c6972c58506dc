import { createHash } from 'node:crypto';
import type { Column, ColumnKind, RowBatch } from '../../src/row-batch.ts';

/** Rows to measure an encoder with, as the database sends them. */
export interface Shape {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly batches: readonly RowBatch[];
}

const BATCH_BYTES = 256 * 1024;
/** More than the caches nearest to the processor hold. */
const BATCH_COUNT = 24;
/** Type and length of a DataRow message, and its number of fields. */
const ROW_HEADER_BYTES = 7;

const FIRST_NAMES = ['Anna', 'Bob', 'Chloé', 'Dmitri', 'Eve', 'Farid', 'Grace', 'Hugo'];
const LAST_NAMES = ['Martin', "O'Brien", 'Smith, Jr', 'Dupont', 'Nguyen', 'García'];
const COUNTRIES = ['FR', 'DE', 'US', 'GB', 'ES', 'IT', 'NL'];

type Values = readonly (string | null)[];

const customerColumns = columnsOf({
  id: 'int64',
  email: 'text',
  first_name: 'text',
  last_name: 'text',
  phone: 'text',
  age: 'int32',
  is_active: 'boolean',
  lifetime_value: 'numeric',
  last_seen: 'timestamptz',
  birthday: 'date',
  country: 'text',
  note: 'text',
});

/** The table that all of the project's figures are about. */
function customer(i: number): Values {
  return [
    `${i}`,
    `user${i}@example${i % 97}.com`,
    FIRST_NAMES[i % 8]!,
    LAST_NAMES[i % 6]!,
    `+33${600_000_000 + ((i * 7919) % 99_999_999)}`,
    `${18 + ((i * 31) % 70)}`,
    i % 3 === 0 ? 't' : 'f',
    (((i * 104_729) % 1_000_000) / 100).toFixed(2),
    `${instant(i * 6007)}+00`,
    instant(-631_152_000 + ((i * 13) % 20_000) * 86_400).slice(0, 10),
    COUNTRIES[i % 7]!,
    i % 5 === 0 ? null : `segment note "${createHash('md5').update(`${i}`).digest('hex')}"`,
  ];
}

const wideColumns = columnsOf(
  Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [
      `column ${i}`,
      (['text', 'int32', 'float64', 'text', 'timestamp', 'json'] as const)[i % 6]!,
    ]),
  ),
);
const SENTENCES = [
  'Le cœur a ses raisons, que la raison ne connaît point.',
  'She said "no", and again: "no!"',
  '吾輩は猫である。名前はまだ無い。',
  'two\nlines & <more>\tthan one',
  'plain words without anything that any format minds, but more of them than fit a register or two',
  '',
];

/** Many columns; texts with quotes, line breaks, other scripts; documents. */
function wide(i: number): Values {
  return wideColumns.map(({ kind }, c) => {
    if ((i + c) % 11 === 0) return null;
    if (kind === 'int32') return `${(i * 37 + c) % 100_000}`;
    if (kind === 'float64') return `${((i * 104_729 + c) % 1_000_000) / 1024}`;
    if (kind === 'timestamp') return `${instant(i * 6007 + c)}.25`;
    if (kind === 'json') return `{"id": ${i}, "tags": ["a", "é"]}`;
    return SENTENCES[(i + c) % SENTENCES.length]!;
  });
}

export const SHAPES: readonly Shape[] = [
  { name: 'customers', columns: customerColumns, batches: batchesOf(customer) },
  { name: 'wide', columns: wideColumns, batches: batchesOf(wide) },
];

/** Seconds from 2020 as PostgreSQL writes them. */
function instant(seconds: number): string {
  return new Date((1_577_836_800 + (seconds % 150_000_000)) * 1000)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ');
}

function columnsOf(kinds: Readonly<Record<string, ColumnKind>>): Column[] {
  return Object.entries(kinds).map(([name, kind]) => ({ name, source: name, kind, sourceType: kind }));
}

function batchesOf(rowOf: (i: number) => Values): RowBatch[] {
  const batches: RowBatch[] = [];
  let next = 1_000_000;
  while (batches.length < BATCH_COUNT) {
    const bytes = Buffer.alloc(BATCH_BYTES);
    const bounds: number[] = [];
    let at = 0;
    for (;;) {
      const row = wireForm(rowOf(next));
      if (at + ROW_HEADER_BYTES + row.length > BATCH_BYTES) break;
      at += ROW_HEADER_BYTES;
      row.copy(bytes, at);
      bounds.push(at, at + row.length);
      at += row.length;
      next++;
    }
    const rowBounds = Int32Array.from(bounds);
    batches.push({ bytes, rowCount: bounds.length / 2, rowBounds, changes: undefined });
  }
  return batches;
}

function wireForm(values: Values): Buffer {
  return Buffer.concat(
    values.flatMap(value => {
      const bytes = Buffer.from(value ?? '');
      const length = Buffer.alloc(4);
      length.writeInt32BE(value === null ? -1 : bytes.length);
      return [length, bytes];
    }),
  );
}
