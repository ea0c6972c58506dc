/**
 * Scalars that carry a unit: sizes, durations and percents, as text and as zod schemas.
 *
 * The text is what a person writes (`1GiB`, `15m`, `20%`); what comes out is bytes,
 * milliseconds or a ratio.
 */

import * as z from 'zod';

const BYTES_PER_UNIT = {
  B: 1n,
  KB: 1000n,
  kB: 1000n,
  MB: 1000n ** 2n,
  GB: 1000n ** 3n,
  TB: 1000n ** 4n,
  KiB: 1024n,
  MiB: 1024n ** 2n,
  GiB: 1024n ** 3n,
  TiB: 1024n ** 4n,
} as const;

const MS_PER_UNIT = {
  ms: 1n,
  s: 1000n,
  m: 60_000n,
  h: 3_600_000n,
  d: 86_400_000n,
  w: 604_800_000n,
} as const;

const SIZE_PATTERN = /^(\d{1,18})(?:\.(\d{1,9}))?\s?(B|[kK]B|[MGT]B|[KMGT]iB)?$/;
const DURATION_PATTERN = /^(\d{1,18})(?:\.(\d{1,9}))?\s?(ms|s|m|h|d|w)$|^0$/;
const SIGNED_DURATION_PATTERN = /^[+-]?\d{1,18}(?:\.\d{1,9})?\s?(?:ms|s|m|h|d|w)$|^0$/;
const PERCENT_PATTERN = /^\d{1,9}(?:\.\d{1,6})?\s?%$/;

/**
 * Exact decimal times unit, rounded down; undefined past the integers that a number holds
 * exactly.
 */
function scaled(whole: string, fraction: string, unit: bigint): number | undefined {
  const product = (BigInt(whole + fraction) * unit) / 10n ** BigInt(fraction.length);
  return product <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(product) : undefined;
}

/**
 * Bytes of a size such as `1GiB`, `500MB`, `1.5 GiB` or plain `1048576`, rounded down to
 * a whole byte. Undefined when the text is no size or exceeds 2^53 - 1 bytes.
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE_PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const unit = (match[3] ?? 'B') as keyof typeof BYTES_PER_UNIT;
  return scaled(match[1] as string, match[2] ?? '', BYTES_PER_UNIT[unit]);
}

/**
 * Milliseconds of a duration such as `500ms`, `15m` or `7d`; `0` needs no unit. Undefined
 * when it is none.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  const match = DURATION_PATTERN.exec(trimmed);
  if (match === null) return undefined;
  return scaled(match[1] ?? '', match[2] ?? '', MS_PER_UNIT[match[3] as keyof typeof MS_PER_UNIT]);
}

/** As `parseDuration`, with an optional sign in front. */
export function parseSignedDuration(text: string): number | undefined {
  const trimmed = text.trim();
  const magnitude = parseDuration(trimmed.replace(/^[+-]/, ''));
  if (magnitude === undefined) return undefined;
  return trimmed.startsWith('-') && magnitude > 0 ? -magnitude : magnitude;
}

/** The ratio of a percent such as `20%` (0.2). Undefined when the text is none. */
export function parsePercent(text: string): number | undefined {
  const trimmed = text.trim();
  return PERCENT_PATTERN.test(trimmed) ? Number(trimmed.slice(0, -1)) / 100 : undefined;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
  /** What the bounds are, in words: `at least 1KiB`. */
  readonly bounds?: string;
}

function inRange(value: number | undefined, range: Range): value is number {
  return value !== undefined && value >= (range.min ?? 0) && value <= (range.max ?? Number.MAX_SAFE_INTEGER);
}

function described(what: string, range: Range): string {
  return range.bounds === undefined ? what : `${what}, ${range.bounds}`;
}

/** A size in bytes: a whole number, or text with a unit. */
export function size(range: Range = {}) {
  const expected = described('a size such as 500MB, 1GiB or a number of bytes', range);
  return z
    .union([z.string().regex(SIZE_PATTERN, { error: expected }), z.int()], { error: expected })
    .transform((value, context) => {
      const bytes = typeof value === 'number' ? value : parseSize(value);
      if (inRange(bytes, range)) return bytes;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ title: 'size' });
}

function durationWith(
  parse: (text: string) => number | undefined,
  pattern: RegExp,
  expected: string,
  range: Range,
) {
  return z
    .union([z.string().regex(pattern, { error: expected }), z.literal(0)], { error: expected })
    .transform((value, context) => {
      const ms = value === 0 ? 0 : parse(value);
      if (inRange(ms, range)) return ms;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ title: 'duration' });
}

/** A duration in milliseconds: text with a unit, or 0. */
export function duration(range: Range = {}) {
  const expected = described('a duration such as 500ms, 30s, 15m, 2h or 7d', range);
  return durationWith(parseDuration, DURATION_PATTERN, expected, range);
}

/** A duration in milliseconds, or `none` for no limit at all. */
export function durationOrNone() {
  const expected = 'a duration such as 30s, 15m or 2h, 0 or none';
  return z
    .union([z.string().regex(DURATION_PATTERN, { error: expected }), z.literal('none'), z.literal(0)], {
      error: expected,
    })
    .transform((value, context) => {
      if (value === 'none') return value;
      const ms = value === 0 ? 0 : parseDuration(value);
      if (ms !== undefined) return ms;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ title: 'duration or `none`' });
}

/** A duration in milliseconds that may be negative. */
export function signedDuration(range: Range = {}) {
  const expected = described('a duration such as 2h, -30m or -1d', range);
  return durationWith(parseSignedDuration, SIGNED_DURATION_PATTERN, expected, {
    min: -Number.MAX_SAFE_INTEGER,
    ...range,
  });
}

/** A ratio, written as a percent. */
export function percent(range: Range = { max: 1, bounds: '0% to 100%' }) {
  const expected = described('a percent such as 20%', range);
  return z
    .string({ error: expected })
    .regex(PERCENT_PATTERN, { error: expected })
    .transform((value, context) => {
      const ratio = parsePercent(value);
      if (inRange(ratio, range)) return ratio;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ title: 'percent' });
}

/** An IANA time zone that this Node knows. */
export function timezone() {
  return z.string().refine(isTimezone, { error: 'an IANA time zone such as UTC or Europe/Paris' });
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name !== '';
  } catch {
    return false;
  }
}

/** Text of at least one character. */
export function text(what = 'text that is not empty') {
  return z.string({ error: what }).min(1, { error: what });
}

/**
 * A number that is the one that was written: of an integer beyond 2^53 the parser has
 * made another.
 */
export function writtenNumber() {
  const isWritten = (value: number): boolean => !Number.isInteger(value) || Number.isSafeInteger(value);
  // What a union expects is then said by the union.
  return z.number().refine(isWritten, { abort: true });
}

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/**
 * The name of a source, destination, model, segment or activation: it becomes part of
 * paths and URLs.
 */
export const entryName = z.string().regex(NAME_PATTERN, {
  error: 'a name of up to 100 letters, digits, _ and -, that starts with a letter or digit',
});
