import type { CsvFormat } from '../schema/schema-formats.ts';

type CsvOption = 'delimiter' | 'quoteChar' | 'escapeChar' | 'nullText';

/** An option that makes files which no reader can take apart, and why. */
export interface CsvAmbiguity {
  readonly option: CsvOption;
  /** As it follows the name of the option. */
  readonly reason: string;
}

/** Everything under the options that makes rows ambiguous, whatever their values are. */
export function csvAmbiguities({
  delimiter,
  quoteChar,
  escapeChar,
  nullText,
}: Pick<CsvFormat, CsvOption>): CsvAmbiguity[] {
  const found: CsvAmbiguity[] = [];
  if (delimiter.includes(quoteChar) || delimiter.includes(escapeChar)) {
    found.push({ option: 'delimiter', reason: 'holds the quote or escape character; they must differ' });
  }
  if (nullText.includes(quoteChar)) {
    found.push({ option: 'nullText', reason: 'holds the quote character, and it is written unquoted' });
  } else if (nullText.includes(delimiter)) {
    found.push({ option: 'nullText', reason: 'holds the delimiter, and it is written unquoted' });
  } else if ((nullText + delimiter).indexOf(delimiter) < nullText.length) {
    // `a:` before the delimiter `::` would be read as `a` before `:`.
    found.push({
      option: 'nullText',
      reason: 'runs into the delimiter behind it: it is written unquoted, and ends as the delimiter begins',
    });
  }
  return found;
}
