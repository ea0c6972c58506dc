import { type Format, GZIP, hasOptions, KINDS } from './format-kinds.ts';
import { format as formatSchema } from './schema/schema-formats.ts';

/**
 * What the ending of a name says of a file: its format, with the options of `configured`
 * where that has the same ending, else with the defaults.
 */
export function formatOfName(
  name: string,
  configured: Format,
): { readonly format: Format; readonly gzip: boolean } | undefined {
  const gzip = name.endsWith(GZIP);
  const plain = gzip ? name.slice(0, -GZIP.length) : name;
  for (const [type, { endings, compressesWithin }] of Object.entries(KINDS)) {
    for (const [ending, options] of Object.entries(endings)) {
      if (!plain.endsWith(ending) || (gzip && compressesWithin)) continue;
      const isSame = configured.type === type && hasOptions(configured, options);
      return { format: isSame ? configured : formatSchema.parse({ type, ...options }), gzip };
    }
  }
  return undefined;
}
