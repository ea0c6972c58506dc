/**
 * `format` of an activation: one schema per file format, with every option and its
 * default.
 */

import * as z from 'zod';
import { CHECKSUMS } from '../../sinks/sink.ts';
import { text } from './values.ts';

const engine = z
  .enum(['fast', 'library'])
  .default('fast')
  .describe("`fast` works on bytes; `library` uses the format's own package. Both write the same file.");

const textCompression = {
  compression: z.enum(['none', 'gzip', 'zstd']).default('none').describe('Compression of the whole file.'),
  level: z
    .int()
    .min(1)
    .max(19)
    .exactOptional()
    .describe(
      'Level of the compression, from 1 (fastest): gzip has 9 levels, default 6; zstd has 19, default 3.',
    ),
};

const binary = z
  .enum(['postgres', 'hex', 'base64'])
  .exactOptional()
  .describe('How `bytea` is written: `\\x6162` as PostgreSQL does (the default), `6162`, or `YWI=`.');

const extension = z
  .union(
    [
      z.literal('none'),
      z
        .string()
        .regex(/^\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/)
        .transform(value => (value.startsWith('.') ? value : `.${value}`)),
    ],
    { error: 'none, or an ending of letters, digits, _ and -, such as .txt or .dat.gz' },
  )
  .exactOptional()
  .describe(
    "Takes the place of the format's own ending (`.csv`, `.csv.gz` and so on); `none` leaves it out.",
  );

const checksums = z
  .array(z.enum(CHECKSUMS))
  .min(1, { error: `one or more of ${CHECKSUMS.join(', ')}` })
  .refine(names => new Set(names).size === names.length, { error: 'each checksum once' })
  .exactOptional()
  .describe(
    'Checksums of each file in the manifest: crc64, sha256, md5; default crc64 and sha256. The blob has a Content-MD5 only with md5.',
  );

const arrays = z.enum(['postgres', 'json']).exactOptional();

/**
 * YAML reads `null` without quotes as no value: it is meant as the word.
 * @param what the values are, and what becomes of them without the option
 */
const onUnrepresentable = (what: string) =>
  z
    .union([z.enum(['fail', 'null', 'replace']), z.null().transform(() => 'null' as const)], {
      error: 'one of fail, null, replace',
    })
    .exactOptional()
    .describe(what);

const oneCharacter = z.string().refine(value => [...value].length === 1 && !/[\r\n]/.test(value), {
  error: 'exactly one character, no line break',
});

const scalarText = z
  .union([z.string(), z.boolean(), z.int()], { error: 'a text, a boolean or a whole number' })
  .transform(String);

export const csvFormat = z
  .strictObject({
    type: z.literal('csv').describe('Comma-separated values, RFC 4180.'),
    engine,
    delimiter: text('one or more characters, no line break')
      .regex(/^[^\r\n]+$/, { error: 'one or more characters, no line break' })
      .default(',')
      .describe('What separates fields: any character, a tab (`"\\t"`) or several characters.'),
    header: z.boolean().default(true).describe('Whether the first line holds the column names.'),
    quote: z
      .enum(['needed', 'always', 'nonNumeric'])
      .default('needed')
      .describe('Which fields are quoted: those that need it, all, or all but numbers.'),
    quoteChar: oneCharacter.default('"').describe('Character around quoted fields.'),
    escapeChar: oneCharacter
      .default('"')
      .describe('Character before a quote character within a quoted field.'),
    lineEnding: z.enum(['lf', 'crlf']).default('lf').describe('End of each line.'),
    nullText: z
      .string()
      .regex(/^[^\r\n]*$/, { error: 'text without a line break' })
      .default('')
      .describe('What stands for NULL, unquoted; a value equal to it is quoted.'),
    bom: z.boolean().default(false).describe('Whether the file starts with a byte order mark, for Excel.'),
    escapeFormulas: z
      .boolean()
      .default(false)
      .describe('Whether text that a spreadsheet would run as a formula gets an apostrophe in front.'),
    timestampFormat: z
      .enum(['iso8601', 'postgres'])
      .default('iso8601')
      .describe('`2025-04-14T07:00:00Z`, or as PostgreSQL writes it.'),
    booleans: z
      .tuple([scalarText, scalarText])
      .refine(([yes, no]) => yes !== no, { error: 'two different texts' })
      .prefault([true, false])
      .describe('What is written for true and for false.'),
    lineBreaks: z
      .enum(['keep', 'space'])
      .exactOptional()
      .describe(
        'Line breaks within fields: keep them (the default), or write a space instead, which is counted and warned of.',
      ),
    decimalSeparator: z
      .enum(['.', ','])
      .exactOptional()
      .describe(
        'What stands in decimal numbers; a number with the delimiter in it is quoted. The default is `.`.',
      ),
    encoding: z
      .enum(['utf-8', 'utf-16le', 'windows-1252', 'iso-8859-1'])
      .exactOptional()
      .describe('Encoding of the file, by default utf-8; utf-16le begins with a byte order mark.'),
    onUnrepresentable: onUnrepresentable(
      'A value that `encoding` cannot hold: fail (the default) and name row and column, write NULL, or write `?` for the character (U+FFFD in Unicode). The last two are counted and warned of.',
    ),
    arrays: arrays.describe(
      'How arrays are written: `{1,NULL}` as PostgreSQL does (the default), or as JSON text, `[1,null]`.',
    ),
    binary,
    extension,
    checksums,
    ...textCompression,
  })
  .describe('CSV files.');

export const jsonFormat = z
  .strictObject({
    type: z.literal('json').describe('JSON.'),
    engine,
    layout: z
      .enum(['array', 'lines'])
      .default('array')
      .describe('`array`: one array of objects (`.json`); `lines`: an object per line (`.ndjson`).'),
    numbers: z
      .enum(['number', 'string'])
      .default('number')
      .describe(
        'How 64-bit integers and numerics are written; `string` suits readers that would round them.',
      ),
    nulls: z
      .enum(['include', 'omit'])
      .default('include')
      .describe('Whether NULL is `null` or the key is left out.'),
    arrays: arrays.describe(
      'How arrays are written: as text, `"{1,NULL}"`, as PostgreSQL does (the default), or as arrays, `[1,null]`.',
    ),
    onUnrepresentable: onUnrepresentable(
      'NaN, infinities and texts that are not UTF-8: fail, write `null`, or replace them by the string `"NaN"` and by U+FFFD. Without it NaN and infinities are replaced, and other bytes fail.',
    ),
    binary,
    extension,
    checksums,
    ...textCompression,
  })
  .describe('JSON or NDJSON files.');

const xmlName = z
  .string()
  .regex(/^[\p{L}_][\p{L}\p{N}\p{M}._\u00b7-]*$/u, { error: 'an XML name without a colon' });

export const xmlFormat = z
  .strictObject({
    type: z.literal('xml').describe('XML 1.0.'),
    engine,
    root: xmlName.default('rows').describe('Name of the root element.'),
    row: xmlName.default('row').describe('Name of the element of each row.'),
    declaration: z.boolean().default(true).describe('Whether the file starts with the XML declaration.'),
    names: z
      .enum(['encode', 'strict'])
      .default('encode')
      .describe('Column names that are no XML names: encode them (`_x0020_`), or fail.'),
    nulls: z
      .enum(['include', 'omit'])
      .default('include')
      .describe('Whether NULL is an element with `xsi:nil="true"` or the element is left out.'),
    indent: z.boolean().default(false).describe('Whether elements are indented, for people.'),
    onUnrepresentable: onUnrepresentable(
      'Texts with characters that XML 1.0 does not have, or that are not UTF-8: fail, write NULL, or write U+FFFD for them. Without it characters are replaced, and other bytes fail.',
    ),
    binary,
    extension,
    checksums,
    ...textCompression,
  })
  .describe('XML files.');

const DECIMAL = /^decimal\((\d{1,2}),\s?(\d{1,2})\)$/;
const EXPECTED_NUMERIC = 'text, or decimal(p,s) with 1 ≤ p ≤ 38 and 0 ≤ s ≤ p';

const unboundedNumeric = z
  .string({ error: EXPECTED_NUMERIC })
  .regex(/^(?:text|decimal\(\d{1,2},\s?\d{1,2}\))$/, { error: EXPECTED_NUMERIC })
  .transform((value, context) => {
    const match = DECIMAL.exec(value);
    if (match === null) return 'text' as const;
    const decimal = { precision: Number(match[1]), scale: Number(match[2]) };
    if (decimal.precision >= 1 && decimal.precision <= 38 && decimal.scale <= decimal.precision)
      return decimal;
    context.addIssue({ code: 'custom', message: EXPECTED_NUMERIC });
    return z.NEVER;
  });

export const parquetFormat = z
  .strictObject({
    type: z.literal('parquet').describe('Apache Parquet.'),
    engine,
    compression: z
      .enum(['snappy', 'zstd', 'gzip', 'none'])
      .default('snappy')
      .describe('Compression of the column pages.'),
    rowGroupRows: z.int().min(1).max(10_000_000).default(122_880).describe('Rows in a row group.'),
    dictionary: z
      .boolean()
      .default(true)
      .describe('Whether repeated values are written once, in a dictionary.'),
    numeric: unboundedNumeric
      .prefault('text')
      .describe(
        'Type of `numeric` columns without precision: `text`, or `decimal(p,s)`; overflow is an error.',
      ),
    uuid: z
      .enum(['native', 'text'])
      .default('native')
      .describe(
        'Type of `uuid` columns: that of Parquet, or text for readers without it, such as Spark before 4.1 and Synapse.',
      ),
    time: z
      .enum(['native', 'text'])
      .default('native')
      .describe('Type of `time` columns, as for `uuid`; text also holds 24:00:00.'),
    onUnrepresentable: onUnrepresentable(
      'Infinite dates and timestamps, numbers that do not fit a decimal, texts that are not UTF-8: fail (the default) and name all columns concerned, write null, or write the nearest value (the last date, U+FFFD; null for a number). The last two are counted and warned of.',
    ),
    extension,
    checksums,
  })
  .describe('Parquet files.');

export const format = z.discriminatedUnion('type', [csvFormat, jsonFormat, xmlFormat, parquetFormat]);

export type CsvFormat = z.output<typeof csvFormat>;
export type JsonFormat = z.output<typeof jsonFormat>;
export type XmlFormat = z.output<typeof xmlFormat>;
export type ParquetFormat = z.output<typeof parquetFormat>;
export type FormatConfig = z.output<typeof format>;
