/**
 * Statistics of the fast engine: there, and never narrower than the values, since readers
 * skip row groups by them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import parquetjs from '@dsnp/parquetjs';
import { ParquetEncoder } from '../../src/encoders/parquet/parquet.ts';
import { type ParquetColumn, parquetColumns } from '../../src/encoders/parquet/parquet-column.ts';
import { getPostgres } from '../support/postgres.ts';
import { DEFAULT_PARQUET_OPTIONS } from './parquet-arbitraries.ts';
import { PARQUET_TYPES_SETUP, parquetExtremesModel } from './parquet-extremes.ts';
import { writeFile } from './parquet-parts.ts';
import { number, readWithHyparquet } from './parquet-readers.ts';
import { readModel } from './read-model.ts';

const ROW_GROUP_ROWS = 4;

/** As the footer has them, which nothing interprets. */
interface Bounds {
  readonly min_value?: Buffer;
  readonly max_value?: Buffer;
  readonly null_count?: unknown;
}

interface Footer {
  readonly row_groups: readonly {
    readonly columns: readonly { readonly meta_data: { readonly statistics?: Bounds } }[];
  }[];
}

/**
 * As Parquet orders the physical type: numbers by value, bytes by their unsigned value,
 * decimals in bytes signed.
 */
function compare(a: string, b: string, kind: string): number {
  const isBytes = kind === 'text' || kind === 'json' || kind === 'array';
  if (kind === 'bytes' || kind === 'uuid')
    return Buffer.compare(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
  if (isBytes) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (kind === 'boolean') return Number(a === 'true') - Number(b === 'true');
  if (kind.startsWith('float')) return Number(a) < Number(b) ? -1 : Number(Number(a) > Number(b));
  return BigInt(a) < BigInt(b) ? -1 : Number(BigInt(a) > BigInt(b));
}

/** The canonical text of parquet-readers.ts, of a value in Parquet's plain encoding. */
function textOf(value: Buffer, { kind, width, precision }: ParquetColumn): string {
  if (kind === 'boolean') return String(value[0] === 1);
  if (kind === 'float32') return number(value.readFloatLE());
  if (kind === 'float64') return number(value.readDoubleLE());
  if (kind === 'bytes' || kind === 'uuid') return value.toString('hex');
  if (width === 0) return value.toString();
  if (kind === 'decimal' && precision > 18) {
    return BigInt.asIntN(8 * value.length, BigInt(`0x${value.toString('hex')}`)).toString();
  }
  return value.length === 4 ? String(value.readInt32LE()) : String(value.readBigInt64LE());
}

test('every column of every type has statistics, which hold for each row group', async () => {
  const database = await (await getPostgres()).createDatabase();
  try {
    await database.sql(PARQUET_TYPES_SETUP);
    const { columns, batches } = await readModel(database.url, parquetExtremesModel());
    const options = { ...DEFAULT_PARQUET_OPTIONS, rowGroupRows: ROW_GROUP_ROWS };
    const parquet = parquetColumns(columns, options);
    const file = await writeFile(() => new ParquetEncoder(columns, options), batches);
    const rows = await readWithHyparquet(file, parquet);
    const envelope = await parquetjs.ParquetEnvelopeReader.openBuffer(file);
    const footer = (await envelope.readFooter()) as unknown as Footer;
    let checked = 0;
    footer.row_groups.forEach(({ columns: chunks }, group) => {
      const own = rows.slice(group * ROW_GROUP_ROWS, (group + 1) * ROW_GROUP_ROWS);
      chunks.forEach(({ meta_data }, index) => {
        const { kind, name } = parquet[index]!;
        const where = `${name}, row group ${group}`;
        const values = own.map(row => row[index]!).filter(value => value !== null);
        const { min_value, max_value, null_count } = meta_data.statistics ?? {};
        if (kind.startsWith('float') && values.includes('NaN')) {
          assert.equal(max_value ?? undefined, undefined, `${where}: NaN has no place between two values`);
          return;
        }
        assert.equal(Number(null_count), own.length - values.length, where);
        if (values.length === 0) return;
        assert.ok(min_value !== undefined && max_value !== undefined, `${where} has no bounds`);
        const [least, most] = [textOf(min_value, parquet[index]!), textOf(max_value, parquet[index]!)];
        for (const value of values) {
          assert.ok(compare(least, value, kind) <= 0, `${where}: ${least} is no lower bound of ${value}`);
          assert.ok(compare(most, value, kind) >= 0, `${where}: ${most} is no upper bound of ${value}`);
        }
        checked++;
      });
    });
    assert.ok(checked > 80, `${checked} column chunks`);
  } finally {
    await database.drop();
  }
});
