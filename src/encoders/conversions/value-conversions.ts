import type { Column } from '../../row-batch.ts';
import { ArrayJson } from '../array-json.ts';
import { DECIMAL_KINDS } from '../csv/csv-options.ts';
import type { ConversionOptions, Otherwise } from './conversion-options.ts';
import type { Holding, HoldingOf } from './holding.ts';

/** Where a value ends that was converted; or what became of it instead. */
export type Written = number | typeof BECAME_NULL;
export const BECAME_NULL = -1;

/** Writes a value from `start` to `end` of `source` as another one. */
export interface Conversion {
  /** May write where it reads, but for the first of a chain. Throws `Unrepresentable`. */
  write(source: Buffer, start: number, end: number, target: Buffer, at: number): Written;
  /** Whether the value as it is counts as coerced. */
  coerces?(source: Buffer, start: number, end: number): boolean;
  /** What a value of so many bytes takes at most; absent where that is what it has. */
  bytesBound?(bytes: number): number;
}

/** A value that the file cannot hold, and what of it. */
export class Unrepresentable extends Error {}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const COMMA = 0x2c;
const POINT = 0x2e;
/** `\x`, which PostgreSQL writes before the digits of a `bytea`. */
const PREFIX_BYTES = 2;

/** Those whose values may hold line breaks. */
const TEXT_KINDS: ReadonlySet<string> = new Set(['text', 'json']);

/** A line break of two characters is one space. */
const SPACES: Conversion = {
  write(source, start, end, target, at) {
    let position = at;
    for (let p = start; p < end; p++) {
      const byte = source[p]!;
      if (byte === CARRIAGE_RETURN && p + 1 < end && source[p + 1] === LINE_FEED) continue;
      target[position++] = isBreak(byte) ? SPACE : byte;
    }
    return position;
  },
  coerces(source, start, end) {
    for (let p = start; p < end; p++) if (isBreak(source[p]!)) return true;
    return false;
  },
};

const DECIMAL_COMMA: Conversion = {
  write(source, start, end, target, at) {
    const position = at + source.copy(target, at, start, end);
    const point = target.subarray(at, position).indexOf(POINT);
    if (point >= 0) target[at + point] = COMMA;
    return position;
  },
};

const HEX: Conversion = {
  write: (source, start, end, target, at) => at + source.copy(target, at, start + PREFIX_BYTES, end),
};

const BASE64: Conversion = {
  write(source, start, end, target, at) {
    const digits = source.toString('latin1', start + PREFIX_BYTES, end);
    return at + target.write(Buffer.from(digits, 'hex').toString('base64'), at, 'latin1');
  },
};

/** How the values of a column are converted; undefined where they stay as they are. */
export function conversionOf(
  column: Column,
  options: ConversionOptions,
  holdingOf: HoldingOf,
): Conversion | undefined {
  const { lineBreaks, decimalSeparator, binary } = options;
  const { kind } = column;
  const holding = holdingOf(column, options);
  return chained([
    kind === 'bytes' && binary === 'hex' && HEX,
    kind === 'bytes' && binary === 'base64' && BASE64,
    isJsonArray(column, options) && arrayConversion(column, options),
    lineBreaks === 'space' && TEXT_KINDS.has(kind) && SPACES,
    holding !== undefined && holdingConversion(holding, options.onUnrepresentable ?? 'fail'),
    decimalSeparator === ',' && DECIMAL_KINDS.has(kind) && DECIMAL_COMMA,
  ]);
}

/** The column as the encoder of the format has to take it. */
export function convertedColumn(column: Column, options: ConversionOptions): Column {
  const { type, lineBreaks, binary } = options;
  const name = lineBreaks === 'space' ? withoutLineBreaks(column.name) : column.name;
  const isPlain = type !== 'csv' && column.kind === 'bytes' && binary !== undefined;
  const isDocument = type === 'json' && isJsonArray(column, options);
  return { ...column, name, kind: isPlain ? 'text' : isDocument ? 'json' : column.kind };
}

export function withoutLineBreaks(text: string): string {
  return text.replace(/\r\n|[\r\n]/g, ' ');
}

function isJsonArray({ element }: Column, { arrays }: ConversionOptions): boolean {
  return arrays === 'json' && element !== undefined;
}

function arrayConversion({ element }: Column, { numbers }: ConversionOptions): Conversion {
  const json = ArrayJson.of(element!, numbers);
  return {
    write(source, start, end, target, at) {
      const written = json.write(source, start, end, target, at);
      if (written < 0) throw new Unrepresentable('a text that is not an array');
      return written;
    },
    bytesBound: ArrayJson.bytesBound,
  };
}

function holdingConversion({ misfitOf, replaced, bytesBound }: Holding, otherwise: Otherwise): Conversion {
  return {
    write(source, start, end, target, at) {
      const value = source.subarray(start, end);
      const misfit = misfitOf(value);
      if (misfit === undefined) return at + source.copy(target, at, start, end);
      if (otherwise === 'fail') throw new Unrepresentable(misfit);
      const instead = otherwise === 'null' ? undefined : replaced(value);
      return instead === undefined ? BECAME_NULL : at + target.write(instead, at);
    },
    coerces: (source, start, end) => misfitOf(source.subarray(start, end)) !== undefined,
    bytesBound,
  };
}

/** One after the other; each is given what the one before it wrote. */
function chained(conversions: readonly (Conversion | false)[]): Conversion | undefined {
  return conversions
    .filter(conversion => conversion !== false)
    .reduce<Conversion | undefined>(
      (first, second) => (first === undefined ? second : oneAfterTheOther(first, second)),
      undefined,
    );
}

function oneAfterTheOther(first: Conversion, second: Conversion): Conversion {
  return {
    write(source, start, end, target, at) {
      const between = first.write(source, start, end, target, at);
      return between === BECAME_NULL ? between : second.write(target, at, between, target, at);
    },
    coerces: (...value) => first.coerces?.(...value) === true || second.coerces?.(...value) === true,
    bytesBound(bytes) {
      const between = first.bytesBound?.(bytes) ?? bytes;
      return Math.max(between, second.bytesBound?.(between) ?? between);
    },
  };
}

function isBreak(byte: number): boolean {
  return byte === LINE_FEED || byte === CARRIAGE_RETURN;
}
