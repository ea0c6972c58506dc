import { SaxesParser } from 'saxes';
import { ColumnCheck } from '../reading/column-check.ts';
import type { ExpectedFile, FileContents } from '../reading/file-reader.ts';
import type { XmlOptions } from './xml-options.ts';

/** Root, row, column. */
const ROW_DEPTH = 2;
const COLUMN_DEPTH = 3;

export async function readXml(
  bytes: AsyncIterable<Buffer>,
  { format, columns }: ExpectedFile<XmlOptions>,
): Promise<FileContents> {
  const check = new ColumnCheck(columns, { mayOmit: format.nulls === 'omit' });
  const columnName = format.names === 'encode' ? decodeName : (name: string): string => name;
  let rows = 0;
  let depth = 0;
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', error => {
    throw error;
  });
  parser.on('opentag', ({ name }) => {
    depth++;
    if (depth > COLUMN_DEPTH) throw new Error(`row ${rows}: <${name}> is within a column`);
    if (depth === 1) expectName(name, format.root, 'the root element');
    if (depth === ROW_DEPTH) expectName(name, format.row, `the element of row ${++rows}`);
    if (depth === COLUMN_DEPTH) check.take(columnName(name), `row ${rows}`);
  });
  parser.on('closetag', () => {
    if (depth-- === ROW_DEPTH) check.end(`row ${rows}`);
  });
  parser.on('text', text => {
    if (depth < COLUMN_DEPTH && /[^ \t\r\n]/.test(text))
      throw new Error(`there is text between elements, after row ${rows}`);
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of bytes) parser.write(decoder.decode(chunk, { stream: true }));
  parser.write(decoder.decode()).close();
  return { rows, columnProblem: check.problem };
}

function expectName(name: string, expected: string, what: string): void {
  if (name !== expected) throw new Error(`${what} is <${name}>, not <${expected}>`);
}

/** What SQL/XML's `_xHHHH_` stands for. */
function decodeName(name: string): string {
  return name.replace(/_x([0-9A-F]{4}|[0-9A-F]{6})_/g, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
}
