import { pino } from 'pino';
import type { Redactor } from '../../config/secrets.ts';
import { SluiceError } from '../../errors.ts';
import { isoInstant } from '../../history/iso-instant.ts';
import type { Log, LogFields } from '../parts.ts';
import { prettyLine } from './pretty-line.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  /** `json`: one object a line, for machines; `pretty`: for people at a terminal. */
  readonly format: 'json' | 'pretty';
  /** Whole lines are written to it, one at a time. */
  readonly destination: { write(line: string): unknown };
  readonly level?: LogLevel;
  /** Takes secrets out; asked for each line, since a reload brings new ones. */
  readonly redactor: Redactor | (() => Redactor);
  /** Colours, with `pretty`. */
  readonly colors?: boolean;
  readonly now?: () => Date;
}

/** Names that each line has itself. A field of that name gets a `_` behind it. */
const OWN_KEYS: ReadonlySet<string> = new Set(['time', 'level', 'message']);

/**
 * Longer texts are cut: a line is read by people and carried by collectors with limits.
 */
const MAX_TEXT = 8192;

const MAX_CAUSES = 8;

/**
 * The log of the daemon. Every text passes the redactor, by value and by pattern, before
 * it is written.
 */
export function createLog(options: LogOptions): Log {
  const { format, destination, level = 'info', redactor, colors = false, now = () => new Date() } = options;
  const redactorNow = typeof redactor === 'function' ? redactor : () => redactor;
  const stream =
    format === 'json'
      ? destination
      : { write: (line: string) => destination.write(prettyLine(JSON.parse(line), { colors })) };
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${isoInstant(now())}"`,
      formatters: { level: label => ({ level: label }) },
    },
    stream as { write(line: string): void },
  );
  const write =
    (at: LogLevel) =>
    (fields: LogFields, message: string): void => {
      if (!logger.isLevelEnabled(at)) return;
      const clean = redactorNow();
      logger[at](lineFields(fields, clean), cut(clean.clean(message)));
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function lineFields({ error, ...fields }: LogFields, redactor: Redactor): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const key = redactor.clean(name);
    const value = redactor.cleanValue(field);
    if (value !== undefined) line[OWN_KEYS.has(key) ? `${key}_` : key] = plain(value);
  }
  if (error !== undefined) line['error'] = plain(redactor.cleanValue(toLine(error)));
  return line;
}

interface ErrorLine {
  readonly code?: string;
  readonly category?: string;
  readonly message: string;
  readonly hint?: string;
  readonly causes?: readonly string[];
  /** Only for defects: what the world causes says enough by itself. */
  readonly stack?: string;
}

function toLine(error: unknown): ErrorLine {
  if (!(error instanceof Error)) return { message: typeof error === 'string' ? error : safeJson(error) };
  const causes: string[] = [];
  for (const cause of causesOf(error)) causes.push(cause instanceof Error ? shown(cause) : safeJson(cause));
  const told = causes.length === 0 ? {} : { causes };
  if (error instanceof SluiceError && error.code !== 'INTERNAL') {
    const { code, category, message, hint } = error;
    return { code, category, message, hint, ...told };
  }
  const { code } = error as { code?: unknown };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    message: shown(error),
    ...told,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

/**
 * From the outside in; the errors of an AggregateError, which Node gives for a host with
 * several addresses, included.
 */
function causesOf(error: Error): unknown[] {
  const found: unknown[] = [];
  const seen = new Set<unknown>([error]);
  const waiting = [...innerOf(error)];
  while (waiting.length > 0 && found.length < MAX_CAUSES) {
    const cause = waiting.shift();
    if (seen.has(cause)) continue;
    seen.add(cause);
    found.push(cause);
    if (cause instanceof Error) waiting.push(...innerOf(cause));
  }
  return found;
}

function innerOf(error: Error): unknown[] {
  const cause = error.cause === undefined ? [] : [error.cause];
  return error instanceof AggregateError ? [...cause, ...error.errors] : cause;
}

function shown({ name, message }: Error): string {
  return name === 'Error' || name === 'SluiceError' ? message : `${name}: ${message}`;
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/**
 * What JSON can hold, with long texts cut. Cycles have been taken out of what comes here
 * only as far as depth goes.
 */
function plain(value: unknown, within: readonly unknown[] = []): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (typeof value !== 'object' || value === null) return value;
  if (within.includes(value)) return '(itself)';
  const inside = [...within, value];
  if (Array.isArray(value)) return value.map(item => plain(item, inside));
  if (value instanceof Error) return plain(toLine(value), inside);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, inside)]));
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`;
}
