import { isUtf8 } from 'node:buffer';
import { decimalBytes } from '../file/parquet-schema.ts';
import { exactFloat32 } from '../fill/float32.ts';
import type { ParquetColumn } from '../parquet-column.ts';
import { arrayJson } from './parquet-array-json.ts';

/** A value as @dsnp/parquetjs stores it: that of the physical type. */
export type PhysicalValue = boolean | number | bigint | Buffer;

const DAYS_OF_400_YEARS = 146_097;
const MILLISECONDS_A_DAY = 86_400_000;
const MICROSECONDS_A_DAY = 86_400_000_000n;
const FLOAT = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|-?Infinity)$/;
const INTEGER_BITS = { int16: 16, int32: 32, int64: 64 } as const;

/** @returns `undefined` where the column cannot hold the value exactly */
export function physicalValue(field: Buffer, column: ParquetColumn): PhysicalValue | undefined {
  if (!isUtf8(field)) return undefined;
  const { kind } = column;
  switch (kind) {
    case 'text':
    case 'json':
      return Buffer.from(field);
    case 'bytes':
      return bytesOf(field);
    default:
      return fromText(field.toString(), column);
  }
}

function bytesOf(field: Buffer): Buffer | undefined {
  if (field.toString('latin1', 0, 2) !== '\\x') return undefined;
  const hex = field.toString('latin1', 2);
  const bytes = Buffer.from(hex, 'hex');
  // Decoding stops at what is no digit.
  return bytes.length * 2 === hex.length ? bytes : undefined;
}

function fromText(text: string, column: ParquetColumn): PhysicalValue | undefined {
  const { kind } = column;
  switch (kind) {
    case 'boolean':
      return text === 't' ? true : text === 'f' ? false : undefined;
    case 'int16':
    case 'int32':
    case 'int64': {
      if (!/^-?\d+$/.test(text)) return undefined;
      const value = BigInt(text);
      if (BigInt.asIntN(INTEGER_BITS[kind], value) !== value) return undefined;
      return kind === 'int64' ? value : Number(value);
    }
    case 'float32':
    case 'float64': {
      const value = Number(text);
      if (!FLOAT.test(text)) return undefined;
      if (kind === 'float64' || Number.isNaN(value) || Math.fround(value) === value) return value;
      return exactFloat32(value, Buffer.from(text), 0, text.length);
    }
    case 'decimal':
      return decimal(text, column);
    case 'date': {
      const days = daysOf(text);
      return days === undefined ? undefined : Number(days);
    }
    case 'time': {
      const micros = microsOf(text);
      return micros === undefined || micros >= MICROSECONDS_A_DAY ? undefined : micros;
    }
    case 'timestamp':
      return timestamp(text, '');
    case 'timestamptz':
      return timestamp(text, '+00');
    case 'uuid': {
      const hex = text.replaceAll('-', '');
      return /^[0-9a-f]{32}$/i.test(hex) ? Buffer.from(hex, 'hex') : undefined;
    }
    case 'array': {
      const json = arrayJson(text, column.element!);
      return json === undefined ? undefined : Buffer.from(json);
    }
    case 'text':
    case 'json':
    case 'bytes':
      return undefined;
    default:
      return kind satisfies never;
  }
}

function decimal(text: string, { precision, scale, width }: ParquetColumn): PhysicalValue | undefined {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined || /[^0]/.test(fraction.slice(scale))) return undefined;
  const magnitude = BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0'));
  if (magnitude >= 10n ** BigInt(precision)) return undefined;
  const value = sign === '-' ? -magnitude : magnitude;
  if (width === 4) return Number(value);
  if (width === 8) return value;
  const bytes = decimalBytes(precision);
  const hex = BigInt.asUintN(8 * bytes, value)
    .toString(16)
    .padStart(2 * bytes, '0');
  return Buffer.from(hex, 'hex');
}

/** Days since 1970-01-01. */
function daysOf(text: string): bigint | undefined {
  const [, years, month, day, bc] = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/.exec(text) ?? [];
  if (years === undefined || !isBetween(month, 1, 12) || !isBetween(day, 1, 31)) return undefined;
  const year = bc === undefined ? Number(years) : 1 - Number(years);
  // JavaScript's dates end in 275760; the calendar repeats every 400 years.
  const cycles = Math.floor((year - 2000) / 400);
  const milliseconds = Date.UTC(year - 400 * cycles, Number(month) - 1, Number(day));
  return BigInt(milliseconds / MILLISECONDS_A_DAY + DAYS_OF_400_YEARS * cycles);
}

/** Microseconds since midnight. */
function microsOf(text: string): bigint | undefined {
  const [, hours, minutes, seconds, fraction = ''] =
    /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (hours === undefined) return undefined;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

function timestamp(text: string, zone: '' | '+00'): bigint | undefined {
  const bc = text.endsWith(' BC') ? ' BC' : '';
  if (!text.endsWith(zone + bc)) return undefined;
  const [date = '', time = ''] = text.slice(0, text.length - zone.length - bc.length).split(' ');
  const days = daysOf(date + bc);
  const micros = microsOf(time);
  if (days === undefined || micros === undefined) return undefined;
  const value = days * MICROSECONDS_A_DAY + micros;
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function isBetween(digits: string | undefined, lowest: number, highest: number): boolean {
  return Number(digits) >= lowest && Number(digits) <= highest;
}
