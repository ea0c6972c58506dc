import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { SaxesParser } from 'saxes';
import { openFile } from './verify.ts';

/**
 * Rows of files that are not CSV, as the CSV of COPY, so that one digest compares them
 * all: read by others than wrote them, and to their end. What is no whole document is an
 * error.
 */
export type FileRows = (file: string) => AsyncIterable<Uint8Array>;

export const FILE_ROWS: { readonly [Format in 'ndjson' | 'json' | 'xml' | 'parquet']: FileRows } = {
  ndjson: file => jsonRows(file, ({ line }) => line),
  json: file => jsonRows(file, elementOf),
  xml: xmlRows,
  parquet: parquetRows,
};

function csvLine(fields: readonly (string | null)[]): string {
  const quoted = fields.map(field => (field === null ? '' : `"${field.replaceAll('"', '""')}"`));
  return `${quoted.join(',')}\n`;
}

interface Line {
  readonly line: string;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** The one before. */
  readonly before: string;
}

/**
 * The object on a line of an array that has one a line, with its comma; nothing of the
 * lines of its brackets.
 */
function elementOf({ line, isFirst, isLast, before }: Line): string | undefined {
  if (isFirst || isLast) {
    if (line !== (isFirst ? '[' : ']')) throw new Error(`${line} is no bracket`);
    if (isLast && before.endsWith(',')) throw new Error('a comma before the end');
    return undefined;
  }
  if (before !== '[' && !before.endsWith(',')) throw new Error(`no comma between ${before} and ${line}`);
  return line.endsWith(',') ? line.slice(0, -1) : line;
}

/** A string, or a number, which becomes a string so that JSON.parse keeps its digits. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

async function* jsonRows(
  file: string,
  objectOf: (line: Line) => string | undefined,
): AsyncGenerator<Uint8Array> {
  let before = '';
  let isFirst = true;
  let held: string | undefined;
  const rowOf = (line: string, isLast: boolean): string => {
    const text = objectOf({ line, isFirst, isLast, before });
    before = line;
    isFirst = false;
    if (text === undefined) return '';
    const row: unknown = JSON.parse(text.replace(TOKEN, token => (token[0] === '"' ? token : `"${token}"`)));
    const values = Object.values(row as Record<string, unknown>);
    return csvLine(values.map(value => (value === null ? null : String(value))));
  };
  for await (const lines of linesOf(file)) {
    let csv = '';
    for (const line of lines) {
      if (held !== undefined) csv += rowOf(held, false);
      held = line;
    }
    yield Buffer.from(csv);
  }
  if (held !== undefined) yield Buffer.from(rowOf(held, true));
}

/** Lines without their ends, some at a time. The last has to end too. */
async function* linesOf(file: string): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of await openFile(file)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield lines;
  }
  if (rest !== '') throw new Error('the last line does not end');
}

async function* xmlRows(file: string): AsyncGenerator<Uint8Array> {
  const parser = new SaxesParser({ xmlns: true });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let csv = '';
  let fields: (string | null)[] = [];
  let depth = 0;
  let isNil = false;
  let text = '';
  parser.on('error', error => {
    throw error;
  });
  parser.on('text', piece => {
    if (depth === 3) text += piece;
  });
  parser.on('opentag', ({ attributes }) => {
    depth++;
    if (depth === 2) fields = [];
    text = '';
    isNil = attributes['xsi:nil']?.value === 'true';
  });
  parser.on('closetag', () => {
    if (depth === 3) fields.push(isNil ? null : text);
    if (depth === 2) csv += csvLine(fields);
    depth--;
  });
  for await (const chunk of await openFile(file)) {
    parser.write(decoder.decode(chunk, { stream: true }));
    yield Buffer.from(csv);
    csv = '';
  }
  parser.close();
}

async function* parquetRows(file: string): AsyncGenerator<Uint8Array> {
  const stored = join(tmpdir(), `sluice-verify-${process.pid}.parquet`);
  const written = `${stored}.csv`;
  try {
    await writeFile(stored, await openFile(file));
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
    const connection = await instance.connect();
    await connection.run(`set timezone = 'UTC'`);
    await connection.run(
      `copy (from read_parquet('${stored}')) to '${written}' (format csv, header false, force_quote *)`,
    );
    connection.closeSync();
    yield* await openFile(written);
  } finally {
    await Promise.all([rm(stored, { force: true }), rm(written, { force: true })]);
  }
}
