import type { ValueText } from './value-text.ts';

/**
 * How values of a type within others are written, and what separates them in an array.
 */
export interface Part {
  readonly text: ValueText;
  readonly delimiter: string;
}

/** By the oid of a type. */
export type PartOf = (oid: number) => Part;

const ARRAY_HEADER_BYTES = 12;
const DIMENSION_BYTES = 8;

/** Flags of a range. */
const EMPTY = 0x01;
const LOWER_INCLUSIVE = 0x02;
const UPPER_INCLUSIVE = 0x04;
const LOWER_INFINITE = 0x08;
const UPPER_INFINITE = 0x10;

/** `{1,NULL,"a b"}`, with bounds in front (`[0:1]={…}`) where one does not begin at 1. */
export function arrayText(partOf: PartOf): ValueText {
  return (bytes, start, end) => {
    const sizes = dimensions(bytes, start);
    if (sizes.length === 0) return '{}';
    const { text, delimiter } = partOf(bytes.readUInt32BE(start + 8));
    const elements = fieldsOf(
      bytes,
      start + ARRAY_HEADER_BYTES + DIMENSION_BYTES * sizes.length,
      end,
      text,
    ).map(element => (element === undefined ? 'NULL' : inArray(element, delimiter)));
    let level = elements;
    for (const { size } of [...sizes].reverse()) {
      const groups: string[] = [];
      for (let at = 0; at < level.length; at += size)
        groups.push(`{${level.slice(at, at + size).join(delimiter)}}`);
      level = groups;
    }
    const isUsual = sizes.every(({ lower }) => lower === 1);
    const bounds = sizes.map(({ size, lower }) => `[${lower}:${lower + size - 1}]`).join('');
    return isUsual ? level[0]! : `${bounds}=${level[0]}`;
  };
}

/** `1 2 3`, as `int2vector` and `oidvector` are written. */
export function vectorText(partOf: PartOf): ValueText {
  return (bytes, start, end) => {
    const first = start + ARRAY_HEADER_BYTES + DIMENSION_BYTES * dimensions(bytes, start).length;
    return fieldsOf(bytes, first, end, partOf(bytes.readUInt32BE(start + 8)).text).join(' ');
  };
}

/** `(1,"a b",)`; each field says itself of which type it is. */
export function recordText(partOf: PartOf): ValueText {
  return (bytes, start) => {
    const fields: string[] = [];
    let at = start + 4;
    for (let left = bytes.readInt32BE(start); left > 0; left--) {
      const length = bytes.readInt32BE(at + 4);
      const value = at + 8;
      at = value + Math.max(0, length);
      if (length < 0) fields.push('');
      else fields.push(inRecord(partOf(bytes.readUInt32BE(value - 8)).text(bytes, value, at)));
    }
    return `(${fields.join()})`;
  };
}

export function rangeText(bound: ValueText): ValueText {
  return (bytes, start) => {
    const flags = bytes[start]!;
    if (flags & EMPTY) return 'empty';
    let at = start + 1;
    const next = (isInfinite: boolean): string => {
      if (isInfinite) return '';
      const value = at + 4;
      at = value + bytes.readInt32BE(at);
      return inRange(bound(bytes, value, at));
    };
    const lower = next((flags & LOWER_INFINITE) !== 0);
    const upper = next((flags & UPPER_INFINITE) !== 0);
    return `${flags & LOWER_INCLUSIVE ? '[' : '('}${lower},${upper}${flags & UPPER_INCLUSIVE ? ']' : ')'}`;
  };
}

export function multirangeText(range: ValueText): ValueText {
  return (bytes, start, end) => `{${fieldsOf(bytes, start + 4, end, range).join()}}`;
}

function dimensions(bytes: Buffer, start: number): { readonly size: number; readonly lower: number }[] {
  return Array.from({ length: bytes.readInt32BE(start) }, (_, index) => {
    const at = start + ARRAY_HEADER_BYTES + DIMENSION_BYTES * index;
    return { size: bytes.readInt32BE(at), lower: bytes.readInt32BE(at + 4) };
  });
}

/** Values with their lengths in front, up to `end`; `undefined` for NULL. */
function fieldsOf(bytes: Buffer, start: number, end: number, text: ValueText): (string | undefined)[] {
  const fields: (string | undefined)[] = [];
  let at = start;
  while (at < end) {
    const length = bytes.readInt32BE(at);
    const value = at + 4;
    at = value + Math.max(0, length);
    fields.push(length < 0 ? undefined : text(bytes, value, at));
  }
  return fields;
}

function inArray(text: string, delimiter: string): string {
  const isPlain = text !== '' && !/["\\{} \t\n\v\f\r]|^null$/i.test(text) && !text.includes(delimiter);
  return isPlain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function inRecord(text: string): string {
  const isPlain = text !== '' && !/["\\(), \t\n\v\f\r]/.test(text);
  return isPlain ? text : `"${text.replace(/["\\]/g, '$&$&')}"`;
}

function inRange(text: string): string {
  const isPlain = text !== '' && !/["\\()[\], \t\n\v\f\r]/.test(text);
  return isPlain ? text : `"${text.replace(/["\\]/g, '$&$&')}"`;
}
