/**
 * Generated columns, rows, and what readers have to find, computed from the generated
 * values themselves.
 */
import fc from 'fast-check';
import type { ParquetOptions } from '../../src/encoders/parquet/parquet-options.ts';
import type { Column } from '../../src/row-batch.ts';
import { type CanonicalRow, number } from './parquet-readers.ts';

/** What the configuration gives when nothing is set. */
export const DEFAULT_PARQUET_OPTIONS: ParquetOptions = {
  compression: 'snappy',
  rowGroupRows: 122_880,
  dictionary: true,
  numeric: 'text',
  uuid: 'native',
  time: 'native',
};

interface Value {
  /** As the database would send it. */
  readonly sent: string;
  readonly expected: string;
}

const of = (sent: string, expected = sent): Value => ({ sent, expected });

/**
 * As PostgreSQL writes it: the exponent has two digits at least, and minus zero its sign.
 */
const floatText = (value: number): string => {
  const text = number(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
};
const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/**
 * Any instant with microseconds that PostgreSQL and Parquet have, by its microseconds.
 */
const micros = fc.bigInt({ min: -210_866_803_200_000_000n, max: 9_223_372_036_854_775_806n });
const MICROS_A_DAY = 86_400_000_000n;

function dateText(days: number): { text: string; bc: string } {
  // JavaScript's dates end in 275760; the calendar repeats every 400 years.
  const cycles = Math.floor(days / 146_097);
  const date = new Date((days - cycles * 146_097) * 86_400_000);
  const year = date.getUTCFullYear() + 400 * cycles;
  const shown = year > 0 ? year : 1 - year;
  return {
    text: `${pad(shown, 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`,
    bc: year > 0 ? '' : ' BC',
  };
}

function timeText(microsOfDay: bigint): string {
  const seconds = Number(microsOfDay / 1_000_000n);
  const fraction = pad(Number(microsOfDay % 1_000_000n), 6).replace(/0+$/, '');
  const whole = `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

function timestampText(value: bigint, zone: string): string {
  const days = value / MICROS_A_DAY - (value % MICROS_A_DAY < 0n ? 1n : 0n);
  const { text, bc } = dateText(Number(days));
  return `${text} ${timeText(value - days * MICROS_A_DAY)}${zone}${bc}`;
}

const integer = (bits: bigint): fc.Arbitrary<Value> => {
  const half = 2n ** (bits - 1n);
  const any = fc.bigInt({ min: -half, max: half - 1n });
  const edges = fc.constantFrom(0n, -1n, half - 1n, -half);
  return fc.oneof({ weight: 5, arbitrary: any }, edges).map(value => of(String(value)));
};

function decimal(precision: number, scale: number): fc.Arbitrary<Value> {
  const most = 10n ** BigInt(precision) - 1n;
  const any = fc.bigInt({ min: -most, max: most });
  return fc.oneof({ weight: 5, arbitrary: any }, fc.constantFrom(most, -most, 0n, -1n)).map(value => {
    const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
    const point = digits.length - scale;
    const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
    return of(`${value < 0n ? '-' : ''}${text}`, String(value));
  });
}

/** DuckDB's nested types, and zero bytes in its texts, are not what is tested. */
const plainText = fc
  .string({ unit: 'grapheme-composite', maxLength: 12 })
  .map(text => text.replaceAll('\0', ''));
const repeated = fc.constantFrom('', 'a', 'same', 'é', 'x'.repeat(100));

type Leaf = string | null;
interface Nested {
  readonly items: readonly (Leaf | Nested)[];
}
const textArray: fc.Arbitrary<Nested> = fc
  .oneof(
    fc.array(fc.option(plainText), { maxLength: 4 }),
    fc.array(
      fc.array(fc.option(plainText), { minLength: 2, maxLength: 2 }).map(items => ({ items })),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(items => ({ items }));

const isNested = (item: Leaf | Nested): item is Nested => item !== null && typeof item === 'object';
const toTree = (item: Leaf | Nested): unknown => (isNested(item) ? item.items.map(toTree) : item);
function arrayText(item: Leaf | Nested): string {
  if (item === null) return 'NULL';
  if (isNested(item)) return `{${item.items.map(arrayText).join(',')}}`;
  const isPlain = item !== '' && !/[\s{}",\\]/.test(item) && item.toUpperCase() !== 'NULL';
  return isPlain ? item : `"${item.replace(/["\\]/g, '\\$&')}"`;
}

interface Generated {
  readonly column: Omit<Column, 'name' | 'source'>;
  readonly value: fc.Arbitrary<Value>;
}
const kind = (name: Column['kind'], value: fc.Arbitrary<Value>, more: Partial<Column> = {}): Generated => ({
  column: { kind: name, sourceType: name, ...more },
  value,
});
const numeric = (precision: number, scale: number): Generated =>
  kind('numeric', decimal(precision, scale), { precision, scale });

const GENERATED: readonly Generated[] = [
  kind(
    'boolean',
    fc.boolean().map(value => of(value ? 't' : 'f', String(value))),
  ),
  kind('int16', integer(16n)),
  kind('int32', integer(32n)),
  kind('int64', integer(64n)),
  kind(
    'float64',
    fc.double().map(value => of(floatText(value), number(value))),
  ),
  kind(
    'float32',
    fc.float().map(value => of(floatText(value), number(value))),
  ),
  numeric(5, 2),
  numeric(9, 9),
  numeric(15, 3),
  numeric(18, 0),
  numeric(19, 7),
  numeric(38, 20),
  kind(
    'date',
    fc.integer({ min: -2_440_588, max: 2_145_042_540 }).map(days => {
      const { text, bc } = dateText(days);
      return of(text + bc, String(days));
    }),
  ),
  kind(
    'time',
    fc.bigInt({ min: 0n, max: MICROS_A_DAY - 1n }).map(value => of(timeText(value), String(value))),
  ),
  kind(
    'timestamp',
    micros.map(value => of(timestampText(value, ''), String(value))),
  ),
  kind(
    'timestamptz',
    micros.map(value => of(timestampText(value, '+00'), String(value))),
  ),
  kind(
    'uuid',
    fc.uuid().map(value => of(value, value.replaceAll('-', ''))),
  ),
  kind(
    'json',
    fc.json({ noUnicodeString: false } as never).map(text => of(text)),
  ),
  kind(
    'bytes',
    fc.uint8Array({ maxLength: 20 }).map(bytes => {
      const hex = Buffer.from(bytes).toString('hex');
      return of(`\\x${hex}`, hex);
    }),
  ),
  kind(
    'text',
    fc.oneof(plainText, repeated).map(text => of(text)),
  ),
  kind(
    'numeric',
    fc.constantFrom('NaN', '1.50', '1e5', '0.00').map(text => of(text)),
  ),
  kind(
    'text',
    textArray.map(array => of(arrayText(array), JSON.stringify(toTree(array)))),
    { sourceType: 'text[]', element: { kind: 'text', delimiter: ',' } },
  ),
];

export interface ParquetTable {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly expected: readonly CanonicalRow[];
  readonly options: ParquetOptions;
}

export function parquetTable(): fc.Arbitrary<ParquetTable> {
  const options = fc.record({
    compression: fc.constantFrom('snappy' as const, 'zstd' as const, 'gzip' as const, 'none' as const),
    rowGroupRows: fc.constantFrom(1, 2, 7, 122_880),
    dictionary: fc.boolean(),
    numeric: fc.constant('text' as const),
    uuid: fc.constantFrom('native' as const, 'text' as const),
    time: fc.constantFrom('native' as const, 'text' as const),
  });
  return fc
    .array(fc.constantFrom(...GENERATED), { minLength: 1, maxLength: 6 })
    .chain(generated => {
      const row = fc.tuple(...generated.map(({ value }) => fc.option(value, { freq: 6 })));
      return fc.record({
        columns: fc.constant(
          generated.map(({ column }, index) => ({ ...column, name: `${column.kind} ${index}`, source: '' })),
        ),
        rows: fc.array(row, { maxLength: 30 }),
        options,
      });
    })
    .map(({ columns, rows, options: chosen }) => ({
      columns,
      rows: rows.map(row => row.map(value => value?.sent ?? null)),
      expected: rows.map(row =>
        row.map((value, index) => {
          const { kind } = columns[index]!;
          const isText = (kind === 'uuid' || kind === 'time') && chosen[kind] === 'text';
          return (isText ? value?.sent : value?.expected) ?? null;
        }),
      ),
      options: chosen,
    }));
}
