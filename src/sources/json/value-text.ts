import type { ColumnKind } from '../../row-batch.ts';
import type { ScalarType } from './row-parser.ts';

const INTEGER = /^-?(?:0|[1-9]\d*)$/;
const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/;
const NOT_FINITE: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity']);
/**
 * As many digits as PostgreSQL's numeric has at most before its point; exponents can ask
 * for any number.
 */
const MAX_EXPONENT = 131_072;
const BOUNDS = {
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;
const MAX_FLOAT32 = 3.4028235677973366e38;

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;
const HEX_BYTES = /^\\x(?:[\da-fA-F]{2})*$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?$/;
const DATE_TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|z|[-+]\d\d(?::?\d\d)?)?$/;
const OFFSET = /^([-+])(\d\d):?(\d\d)?$/;

/**
 * The text that a column of the kind carries for a value, as PostgreSQL writes it;
 * undefined where the value does not fit. Numbers never pass through a double. With
 * `fromText`, as for declared columns, numbers and booleans may stand in strings.
 */
export function valueText(
  kind: ColumnKind,
  type: Exclude<ScalarType, 'null'>,
  text: string,
  { fromText }: { readonly fromText: boolean },
): string | undefined {
  const isNumber = type === 'number' || (fromText && type === 'string');
  switch (kind) {
    case 'text':
      return text;
    case 'json':
      return type === 'string' ? JSON.stringify(text) : text;
    case 'boolean':
      if (type !== 'boolean' && !(fromText && type === 'string')) return undefined;
      return text === 'true' ? 't' : text === 'false' ? 'f' : undefined;
    case 'int16':
    case 'int32':
    case 'int64':
      return isNumber ? integerText(kind, text) : undefined;
    case 'numeric':
      return isNumber ? numericText(text, type) : undefined;
    case 'float32':
    case 'float64':
      return isNumber ? floatText(kind, text, type) : undefined;
    default:
      return type === 'string' ? specialText(kind, text) : undefined;
  }
}

/** Whether a number of JSON is written as an integer and fits 64 bits. */
export function isInt64(text: string): boolean {
  return integerText('int64', text) !== undefined;
}

function integerText(kind: keyof typeof BOUNDS, text: string): string | undefined {
  if (text.length > 20 || !INTEGER.test(text)) return undefined;
  if (text === '-0') return '0';
  if (kind === 'int64' && text.length < 19) return text;
  const value = BigInt(text);
  const [least, most] = BOUNDS[kind];
  return value >= least && value <= most ? text : undefined;
}

/** Every digit as it is, zeros at the end too; exponents are written out. */
export function numericText(text: string, type: ScalarType = 'number'): string | undefined {
  if (type === 'string' && NOT_FINITE.has(text)) return text;
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent] = match;
  const digits = whole + fraction;
  const isZero = /^0+$/.test(digits);
  const unsigned = isZero || sign === '' ? '' : '-';
  if (exponent === undefined) return unsigned + (sign === '' ? text : text.slice(1));
  const shift = Number(exponent);
  if (Math.abs(shift) > MAX_EXPONENT) return undefined;
  const scale = Math.max(0, fraction.length - shift);
  const shifted = shift > fraction.length ? digits + '0'.repeat(shift - fraction.length) : digits;
  const padded = shifted.padStart(scale + 1, '0');
  const integer = padded.slice(0, padded.length - scale).replace(/^0+(?=\d)/, '');
  return `${unsigned}${integer}${scale === 0 ? '' : `.${padded.slice(padded.length - scale)}`}`;
}

/** Digits as they are: the nearest double is for the reader of the file to find. */
function floatText(kind: 'float32' | 'float64', text: string, type: ScalarType): string | undefined {
  if (type === 'string' && NOT_FINITE.has(text)) return text;
  if (!NUMBER.test(text)) return undefined;
  const magnitude = Math.abs(Number(text));
  return kind === 'float32'
    ? magnitude < MAX_FLOAT32
      ? text
      : undefined
    : magnitude < Infinity
      ? text
      : undefined;
}

function specialText(
  kind: 'date' | 'time' | 'timestamp' | 'timestamptz' | 'uuid' | 'bytes',
  text: string,
): string | undefined {
  switch (kind) {
    case 'uuid':
      return UUID.test(text) ? text.toLowerCase() : undefined;
    case 'bytes':
      if (HEX_BYTES.test(text)) return text.toLowerCase();
      return BASE64.test(text) ? `\\x${Buffer.from(text, 'base64').toString('hex')}` : undefined;
    case 'date':
      return dayOf(text) === undefined ? undefined : text;
    case 'time':
      return timeText(text);
    case 'timestamp':
    case 'timestamptz':
      return timestampText(kind, text);
    default:
      return kind satisfies never;
  }
}

/**
 * Midnight of the day in milliseconds since 1970; undefined for days that no calendar
 * has.
 */
function dayOf(text: string): number | undefined {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined || year === '0000') return undefined;
  const time = new Date(0).setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return new Date(time).toISOString().startsWith(`${text}T`) ? time : undefined;
}

/** Microseconds at most, without zeros at the end, as PostgreSQL has it. */
function timeText(text: string): string | undefined {
  const [, , , , fraction = ''] = TIME.exec(text) ?? [];
  if (!TIME.test(text)) return undefined;
  const digits = fraction.replace(/0+$/, '');
  if (digits.length > 6) return undefined;
  return text.slice(0, 8) + (digits === '' ? '' : `.${digits}`);
}

function timestampText(kind: 'timestamp' | 'timestamptz', text: string): string | undefined {
  const [, date = '', clock = '', zone] = DATE_TIME.exec(text) ?? [];
  const day = dayOf(date);
  const time = timeText(clock);
  // An instant needs its offset, and a time of day without a zone must not have one.
  if (day === undefined || time === undefined || (zone === undefined) !== (kind === 'timestamp'))
    return undefined;
  if (zone === undefined) return `${date} ${time}`;
  const offset = offsetMs(zone);
  if (offset === undefined) return undefined;
  const [hours, minutes, seconds] = time.slice(0, 8).split(':').map(Number) as [number, number, number];
  const instant = new Date(day + ((hours * 60 + minutes) * 60 + seconds) * 1000 - offset);
  const iso = instant.toISOString();
  if (!/^\d{4}-/.test(iso) || iso.startsWith('0000')) return undefined;
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${time.slice(8)}+00`;
}

function offsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const [, sign, hours, minutes = '0'] = OFFSET.exec(zone)!;
  if (Number(hours) > 15 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -60_000 : 60_000) * (Number(hours) * 60 + Number(minutes));
}
