import type { CharacterEncoding } from './character-set.ts';

/** What is done with a value that a file cannot hold. */
export type Otherwise = 'fail' | 'null' | 'replace';

/**
 * What a format writes otherwise than the database sent it; all is optional, and nothing
 * is the default.
 */
export interface ConversionOptions {
  readonly type: 'csv' | 'json' | 'xml' | 'parquet';
  readonly lineBreaks?: 'keep' | 'space';
  readonly decimalSeparator?: '.' | ',';
  readonly binary?: 'postgres' | 'hex' | 'base64';
  readonly arrays?: 'postgres' | 'json';
  readonly numbers?: 'number' | 'string';
  readonly encoding?: CharacterEncoding;
  readonly onUnrepresentable?: Otherwise;
}

const OPTIONS = [
  'lineBreaks',
  'decimalSeparator',
  'binary',
  'arrays',
  'encoding',
  'onUnrepresentable',
] as const satisfies readonly (keyof ConversionOptions)[];

/** Whether there is an option for which values may have to be converted. */
export function asksForConversions(options: ConversionOptions): boolean {
  return OPTIONS.some(option => options[option] !== undefined);
}
