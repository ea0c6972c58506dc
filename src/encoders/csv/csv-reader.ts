import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { type CharacterEncoding, characterSetOf } from '../conversions/character-set.ts';
import type { ConversionOptions } from '../conversions/conversion-options.ts';
import { withoutLineBreaks } from '../conversions/value-conversions.ts';
import { ColumnCheck } from '../reading/column-check.ts';
import type { ExpectedFile, FileContents } from '../reading/file-reader.ts';
import type { CsvOptions } from './csv-options.ts';

export async function readCsv(
  bytes: AsyncIterable<Buffer>,
  { format, columns }: ExpectedFile<CsvOptions & Pick<ConversionOptions, 'lineBreaks' | 'encoding'>>,
): Promise<FileContents> {
  const names = format.lineBreaks === 'space' ? columns?.map(withoutLineBreaks) : columns;
  const check = new ColumnCheck(names, { mayOmit: false });
  let records = 0;
  const parser = parse({
    delimiter: format.delimiter,
    quote: format.quoteChar,
    escape: format.escapeChar,
    record_delimiter: format.lineEnding === 'crlf' ? '\r\n' : '\n',
    bom: format.bom,
    // Records are looked at here and go no further: a stream of them would take most of
    // the time.
    on_record: (record: string[]) => {
      if (records++ === 0 && format.header) {
        for (const name of record) check.take(name, 'the header');
        check.end('the header');
      } else {
        check.count(record.length, `row ${format.header ? records - 1 : records}`);
      }
      return null;
    },
  });
  const { encoding = 'utf-8' } = format;
  // The parser knows UTF-8 alone, and takes what follows a byte order mark.
  const source = encoding === 'utf-8' ? bytes : decoded(bytes, encoding);
  await pipeline(source, parser.resume());
  if (format.header && records === 0) throw new Error('there is no header');
  return { rows: format.header ? records - 1 : records, columnProblem: check.problem };
}

async function* decoded(bytes: AsyncIterable<Buffer>, encoding: CharacterEncoding): AsyncGenerator<string> {
  if (encoding !== 'utf-16le') {
    const set = characterSetOf(encoding);
    for await (const chunk of bytes) yield set.decode(chunk);
    return;
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}
