import type { FilledColumn } from '../fill/column-filler.ts';

/** A dictionary that grows larger is given up, after the work. */
const MAX_DICTIONARY_BYTES = 1024 * 1024;
/** A dictionary that saves less than a tenth is not worth looking every value up. */
const WORTHWHILE = 0.9;

/**
 * Whether a dictionary makes the column smaller, as far as a sample tells. Looking up
 * every value of a column whose values do not repeat takes more time than all the rest of
 * writing it.
 */
export function isWorthDictionary({ pages, samples }: FilledColumn): boolean {
  let values = 0;
  let plainBytes = 0;
  for (const page of pages) {
    values += page.valueCount;
    plainBytes += page.valueBytes;
  }
  if (values === 0) return false;
  const different = Math.max(1, samples.different);
  // Where D values are equally frequent, n²/2D of n samples meet one that was there
  // before.
  const repeated = samples.values - samples.different;
  const estimate = repeated === 0 ? values : Math.max(different, samples.values ** 2 / (2 * repeated));
  const distinct = samples.values >= values ? different : Math.min(values, estimate);
  const dictionaryBytes = (distinct * plainBytes) / values;
  const indexBytes = (values * Math.ceil(Math.log2(distinct + 1))) / 8;
  return dictionaryBytes <= MAX_DICTIONARY_BYTES && dictionaryBytes + indexBytes < WORTHWHILE * plainBytes;
}
