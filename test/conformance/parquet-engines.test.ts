/** The two engines of Parquet against each other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BufferingEncoder } from '../../src/encoders/encoder.ts';
import { ParquetLibraryEncoder } from '../../src/encoders/parquet/library/parquet-library.ts';
import { ParquetEncoder } from '../../src/encoders/parquet/parquet.ts';
import { parquetColumns } from '../../src/encoders/parquet/parquet-column.ts';
import type { ParquetOptions } from '../../src/encoders/parquet/parquet-options.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Column, ColumnKind } from '../../src/row-batch.ts';
import { everyNth, someOf } from '../support/all-cases.ts';
import { batchOf, column, type FieldValue } from './encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from './parquet-arbitraries.ts';
import { writeFile, writeParts } from './parquet-parts.ts';
import { readWithHyparquet } from './parquet-readers.ts';

type Create = (columns: readonly Column[], options: ParquetOptions) => BufferingEncoder;
const ENGINES: readonly Create[] = [
  (columns, options) => new ParquetEncoder(columns, options),
  (columns, options) => new ParquetLibraryEncoder(columns, options),
];

/** The values that a reader finds, or what the engine says against them. */
async function outcome(create: Create, columns: readonly Column[], rows: FieldValue[][]): Promise<unknown> {
  const options: ParquetOptions = { ...DEFAULT_PARQUET_OPTIONS, numeric: { precision: 20, scale: 4 } };
  try {
    const file = await writeFile(() => create(columns, options), [batchOf(rows)]);
    return await readWithHyparquet(file, parquetColumns(columns, options));
  } catch (error) {
    if (error instanceof SluiceError) return `${error.code} ${error.message}`;
    throw error;
  }
}

const KINDS: readonly ColumnKind[] = [
  'boolean',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'numeric',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'bytes',
  'text',
];
/** What a value of one kind or another may look like, or nearly. */
const TEXTS = [
  ...[
    '',
    't',
    'f',
    'NaN',
    'Infinity',
    '-Infinity',
    'infinity',
    '-infinity',
    '-0',
    '0',
    '-',
    '.',
    '1.',
    '.5',
    ' 1',
  ],
  ...['32767', '32768', '-32768', '-32769', '2147483648', '-2147483648', '9223372036854775807'],
  ...['9223372036854775808', '-9223372036854775808', '-9223372036854775809', '99999999999999999999'],
  ...[
    '1.00000',
    '1.00001',
    '9999999999999999.9999',
    '10000000000000000',
    '-9999999999999999.9999',
    '1e5',
    '1.5e-07',
  ],
  ...[
    '8.5899973e+09',
    '16777217',
    '3.4028236e+38',
    '1e+400',
    '1e-46',
    '123456789012345678',
    '0.30000000000000004',
  ],
  ...[
    '2020-02-29',
    '0001-01-01 BC',
    '4714-11-24 BC',
    '5874897-12-31',
    '2020-1-1',
    '2020-13-01',
    '2020-01-01x',
  ],
  ...['24:00:00', '23:59:59.999999', '00:00:00', '12:00', '12:00:00.', '1:00:00', '12:00:00+00'],
  ...[
    '2020-01-01 00:00:00',
    '2020-01-01 00:00:00+00',
    '2020-01-01 00:00:00.1 BC',
    '2020-01-01 00:00:00+00 BC',
  ],
  ...['2020-01-01T00:00:00', '294247-01-10 04:00:54.775807', '294247-01-10 04:00:54.775808', '2020-01-01'],
  ...[
    '00000000-0000-0000-0000-00000000000g',
    '00112233-4455-6677-8899-aabbccddeeff',
    '0011',
    '\\x',
    '\\x0',
    '\\x0g',
  ],
  ...['\\xFf00', 'x00', 'é', '{}', '{1,NULL}', '{{"a"},{b}}', '{', '{"a', '[0:0]={1}'],
];

test('write the same values, or refuse the same ones in the same words', async () => {
  const typed = fc.oneof(
    fc.constantFrom(...KINDS).map(kind => column('a', kind)),
    fc.constantFrom('integer', 'text', 'boolean', 'jsonb', 'numeric').map(type => ({
      ...column('a'),
      sourceType: `${type}[]`,
    })),
    fc.tuple(fc.integer({ min: 1, max: 38 }), fc.integer({ min: -2, max: 38 })).map(([precision, scale]) => ({
      ...column('a', 'numeric'),
      precision,
      scale,
    })),
  );
  const value = fc.option(
    fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...TEXTS) }, fc.double().map(String)),
  );
  const property = fc.asyncProperty(
    typed,
    fc.array(value, { minLength: 1, maxLength: 3 }),
    async (of, values) => {
      const [fast, library] = await Promise.all(
        ENGINES.map(create =>
          outcome(
            create,
            [of],
            values.map(value => [value]),
          ),
        ),
      );
      assert.deepEqual(fast, library);
    },
  );
  await fc.assert(property, { numRuns: someOf(3000), includeErrorInReport: true });
});

test('take no more bytes than they said, for data that nothing makes smaller', async () => {
  const columns = [
    column('a'),
    column('b', 'bytes'),
    column('c', 'float64'),
    column('d', 'uuid'),
    column('e', 'boolean'),
  ];
  const rows = Array.from({ length: 3000 }, (_, row) => {
    const some = randomBytes(16).toString('hex');
    const field = (value: string): string | null => ((row * 7) % 3 === 0 ? null : value);
    return [
      field(randomBytes(row % 40).toString('base64')),
      field(`\\x${some}`),
      field(String(Math.random())),
      field(some.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')),
      field(row % 2 === 0 ? 't' : 'f'),
    ];
  });
  const cases = ENGINES.flatMap(create =>
    (['snappy', 'gzip', 'none'] as const).flatMap(compression =>
      [1, 10, 122_880].map(rowGroupRows => ({ create, compression, rowGroupRows })),
    ),
  );
  for (const { create, compression, rowGroupRows } of everyNth(5, cases)) {
    const options = { ...DEFAULT_PARQUET_OPTIONS, compression, rowGroupRows };
    // The body takes more for a defect.
    const count = rowGroupRows === 1 ? 50 : 3000;
    const parts = await writeParts(() => create(columns, options), [batchOf(rows.slice(0, count))], {
      maxFileBytes: 50_000,
    });
    assert.ok(parts.every(({ bytes }) => bytes.length <= 50_000));
  }
});
