import type { IncomingMessage } from 'node:http';
import type * as z from 'zod';
import { SluiceError } from '../../errors.ts';
import { inputsOf, type Route } from './route.ts';

/**
 * A header that says who asks, for what or how much is refused when it comes twice:
 * readers differ in which one they take.
 */
const ONCE = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'last-event-id',
  'origin',
  'transfer-encoding',
]);
const MAX_MESSAGE = 300;

/** Throws REQUEST_INVALID for what no client sends that means well. */
export function checkShape({ url = '', httpVersionMajor, rawHeaders }: IncomingMessage): void {
  if (httpVersionMajor !== 1)
    throw new SluiceError('REQUEST_INVALID', 'the request is not of HTTP/1.0 or HTTP/1.1');
  if (!url.startsWith('/')) throw new SluiceError('REQUEST_INVALID', 'the request is not for a path');
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (ONCE.has(name) && seen.has(name)) {
      throw new SluiceError('REQUEST_INVALID', `header ${name} is there more than once`);
    }
    seen.add(name);
  }
}

/** The body as JSON, `undefined` where it is empty. Throws REQUEST_INVALID. */
export function parseBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new SluiceError('REQUEST_INVALID', 'the body is not UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body, which may hold anything.
    throw new SluiceError('REQUEST_INVALID', 'the body is not JSON');
  }
  if (hasRepeatedKeys(text, value)) throw new SluiceError('REQUEST_INVALID', 'the body has a key twice');
  return value;
}

/**
 * No body that the API takes is deeper than one level; deeper ones are refused by their
 * shape.
 */
function hasRepeatedKeys(text: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (Object.values(value).some(item => typeof item === 'object' && item !== null)) return false;
  const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1;
  return colons !== Object.keys(value).length;
}

export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: unknown;
  readonly body: unknown;
}

const PARTS = { params: 'path', query: 'query', headers: 'header', body: 'body' } as const;

/**
 * What the route's schemas make of a request. Throws REQUEST_INVALID with everything that
 * is wrong.
 */
export function parseInput(route: Route, raw: RawInput): RawInput {
  const schemas = inputsOf(route);
  const problems: string[] = [];
  const parsed: Record<string, unknown> = {};
  for (const part of ['params', 'query', 'headers', 'body'] as const) {
    const given = part === 'body' && raw.body === undefined ? {} : raw[part];
    const result = schemas[part].safeParse(given);
    if (result.success) parsed[part] = result.data;
    else problems.push(...result.error.issues.map(issue => problemText(PARTS[part], issue)));
  }
  if (problems.length > 0) throw new SluiceError('REQUEST_INVALID', cut(problems.join('; ')));
  return parsed as unknown as RawInput;
}

function problemText(part: string, issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `${part} has ${issue.keys.map(key => JSON.stringify(key)).join(', ')}, which is not known`;
  }
  const where = [part, ...issue.path.map(String)].join(' ');
  if (issue.path.length === 0 && issue.code === 'invalid_type') return `${where}: expected an object`;
  return `${where}: expected ${issue.message}`;
}

function cut(text: string): string {
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE)}…`;
}
