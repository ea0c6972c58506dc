import { pipeline } from 'node:stream/promises';
import parser from 'stream-json/parser.js';
import { ColumnCheck } from '../reading/column-check.ts';
import type { ExpectedFile, FileContents } from '../reading/file-reader.ts';
import type { JsonOptions } from './json-options.ts';

const LINE_FEED = 0x0a;

/**
 * An array of objects, or an object a line. Numbers stay texts: their digits are not the
 * reader's business.
 */
export async function readJson(
  bytes: AsyncIterable<Buffer>,
  { format, columns }: ExpectedFile<JsonOptions>,
): Promise<FileContents> {
  const isLines = format.layout === 'lines';
  const check = new ColumnCheck(columns, { mayOmit: format.nulls === 'omit' });
  const lines = { count: 0 };
  const rowDepth = isLines ? 1 : 2;
  let rows = 0;
  let depth = 0;

  /** What stands where a row, or the array of rows, is expected. */
  const atOutside = (name: string): void => {
    const wanted = depth === rowDepth - 1 ? 'startObject' : 'startArray';
    if (name !== wanted && name !== 'endArray') throw new Error(`what follows row ${rows} is not a row`);
  };

  const parsing = parser.asStream({ packValues: true, streamValues: false, jsonStreaming: isLines });
  await pipeline(
    countLines(bytes, lines),
    parsing,
    async (tokens: AsyncIterable<parser.Token>): Promise<void> => {
      for await (const token of tokens) {
        if (depth < rowDepth) atOutside(token.name);
        switch (token.name) {
          case 'startObject':
          case 'startArray':
            if (++depth === rowDepth) rows++;
            break;
          case 'endObject':
          case 'endArray':
            if (depth-- === rowDepth) check.end(`row ${rows}`);
            break;
          case 'keyValue':
            if (depth === rowDepth) check.take(token.value, `row ${rows}`);
            break;
        }
      }
    },
  );
  if (isLines && lines.count !== rows) throw new Error(`there are ${lines.count} lines and ${rows} objects`);
  return { rows, columnProblem: check.problem };
}

async function* countLines(
  bytes: AsyncIterable<Buffer>,
  lines: { count: number },
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of bytes) {
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines.count++;
    yield chunk;
  }
}
