import { asText, type ValueText } from './value-text.ts';

const NUMERIC_DIGITS = 4;
const NUMERIC_NEGATIVE = 0x4000;
const NUMERIC_SPECIAL: Readonly<Record<number, string>> = {
  49152: 'NaN',
  53248: 'Infinity',
  61440: '-Infinity',
};
const INET4_FAMILY = 2;
const TSVECTOR_WEIGHTS = ['', 'C', 'B', 'A'];

/**
 * Types whose text depends on no setting, by their output functions. They come in binary
 * only within others whose text does.
 */
export const SCALAR_TEXTS: Readonly<Record<string, ValueText>> = {
  textout: asText,
  varcharout: asText,
  bpcharout: asText,
  nameout: asText,
  cstring_out: asText,
  unknownout: asText,
  enum_out: asText,
  json_out: asText,
  xml_out: asText,
  pg_node_tree_out: asText,
  void_out: () => '',
  // A version precedes the text.
  jsonb_out: versioned,
  jsonpath_out: versioned,
  'foreign ltree_out': versioned,
  'foreign lquery_out': versioned,
  'foreign ltxtq_out': versioned,
  charout: charText,
  boolout: (bytes, start) => (bytes[start] === 0 ? 'f' : 't'),
  int2out: (bytes, start) => String(bytes.readInt16BE(start)),
  int4out: (bytes, start) => String(bytes.readInt32BE(start)),
  int8out: (bytes, start) => String(bytes.readBigInt64BE(start)),
  oidout: (bytes, start) => String(bytes.readUInt32BE(start)),
  xidout: (bytes, start) => String(bytes.readUInt32BE(start)),
  cidout: (bytes, start) => String(bytes.readUInt32BE(start)),
  xid8out: (bytes, start) => String(bytes.readBigUInt64BE(start)),
  tidout: (bytes, start) => `(${bytes.readUInt32BE(start)},${bytes.readUInt16BE(start + 4)})`,
  pg_lsn_out: (bytes, start) => `${hex32(bytes, start)}/${hex32(bytes, start + 4)}`,
  numeric_out: numericText,
  uuid_out: (bytes, start, end) =>
    bytes.toString('hex', start, end).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  bit_out: bitText,
  varbit_out: bitText,
  macaddr_out: macText,
  macaddr8_out: macText,
  inet_out: (bytes, start) => inetText(bytes, start, false),
  cidr_out: (bytes, start) => inetText(bytes, start, true),
  pg_snapshot_out: snapshotText,
  tsvectorout: tsvectorText,
  'foreign hstore_out': hstoreText,
};

function versioned(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start + 1, end);
}

/**
 * As PostgreSQL writes it since version 16; before, a byte beyond ASCII could not be sent
 * as text in UTF-8.
 */
function charText(bytes: Buffer, start: number): string {
  const byte = bytes[start]!;
  if (byte === 0) return '';
  return byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`;
}

function hex32(bytes: Buffer, at: number): string {
  return bytes.readUInt32BE(at).toString(16).toUpperCase();
}

function numericText(bytes: Buffer, start: number): string {
  const count = bytes.readInt16BE(start);
  const weight = bytes.readInt16BE(start + 2);
  const sign = bytes.readUInt16BE(start + 4);
  const scale = bytes.readUInt16BE(start + 6);
  const special = NUMERIC_SPECIAL[sign];
  if (special !== undefined) return special;
  const digits = (index: number): string => {
    const digit = index >= 0 && index < count ? bytes.readInt16BE(start + 8 + 2 * index) : 0;
    return String(digit).padStart(NUMERIC_DIGITS, '0');
  };
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += digits(index);
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index++) fraction += digits(index);
  const point = scale > 0 ? `.${fraction.slice(0, scale)}` : '';
  return `${sign === NUMERIC_NEGATIVE ? '-' : ''}${whole.replace(/^0+/, '') || '0'}${point}`;
}

function bitText(bytes: Buffer, start: number, end: number): string {
  let text = '';
  for (let at = start + 4; at < end; at++) text += bytes[at]!.toString(2).padStart(8, '0');
  return text.slice(0, bytes.readInt32BE(start));
}

function macText(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('hex', start, end).replace(/(..)(?=.)/g, '$1:');
}

/**
 * Family, bits of the net, whether it is a `cidr`, length of the address, and the
 * address.
 */
function inetText(bytes: Buffer, start: number, isCidr: boolean): string {
  const bits = bytes[start + 1]!;
  const length = bytes[start + 3]!;
  const address = start + 4;
  const isInet4 = bytes[start] === INET4_FAMILY;
  const text = isInet4 ? bytes.subarray(address, address + length).join('.') : inet6Text(bytes, address);
  return bits === length * 8 && !isCidr ? text : `${text}/${bits}`;
}

function inet6Text(bytes: Buffer, start: number): string {
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(start + 2 * index));
  // The first of the longest runs of zeros is left out.
  let run = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && words[end] === 0) end++;
    if (end - at > run.length) run = { at, length: end - at };
  }
  const hasInet4 =
    run.at === 0 &&
    (run.length === 6 || (run.length === 7 && words[7] !== 1) || (run.length === 5 && words[5] === 0xffff));
  const parts = words.map(word => word.toString(16));
  if (hasInet4) parts.splice(6, 2, bytes.subarray(start + 12, start + 16).join('.'));
  if (run.at < 0) return parts.join(':');
  return `${parts.slice(0, run.at).join(':')}::${parts.slice(run.at + run.length).join(':')}`;
}

function snapshotText(bytes: Buffer, start: number, end: number): string {
  const ids: bigint[] = [];
  for (let at = start + 20; at < end; at += 8) ids.push(bytes.readBigInt64BE(at));
  return `${bytes.readBigInt64BE(start + 4)}:${bytes.readBigInt64BE(start + 12)}:${ids.join()}`;
}

function tsvectorText(bytes: Buffer, start: number): string {
  const lexemes: string[] = [];
  let at = start + 4;
  for (let left = bytes.readInt32BE(start); left > 0; left--) {
    const end = bytes.indexOf(0, at);
    const lexeme = bytes.toString('latin1', at, end).replace(/['\\]/g, '$&$&');
    const positions: string[] = [];
    at = end + 3;
    for (let count = bytes.readUInt16BE(end + 1); count > 0; count--, at += 2) {
      const position = bytes.readUInt16BE(at);
      positions.push(`${position & 0x3fff}${TSVECTOR_WEIGHTS[position >> 14]}`);
    }
    lexemes.push(`'${lexeme}'${positions.length > 0 ? `:${positions.join()}` : ''}`);
  }
  return lexemes.join(' ');
}

function hstoreText(bytes: Buffer, start: number): string {
  const quoted = (from: number, to: number): string =>
    `"${bytes.toString('latin1', from, to).replace(/["\\]/g, '\\$&')}"`;
  const pairs: string[] = [];
  let at = start + 4;
  for (let left = bytes.readInt32BE(start); left > 0; left--) {
    const keyEnd = at + 4 + bytes.readInt32BE(at);
    const valueBytes = bytes.readInt32BE(keyEnd);
    const value = valueBytes < 0 ? 'NULL' : quoted(keyEnd + 4, keyEnd + 4 + valueBytes);
    pairs.push(`${quoted(at + 4, keyEnd)}=>${value}`);
    at = keyEnd + 4 + Math.max(0, valueBytes);
  }
  return pairs.join(', ');
}
