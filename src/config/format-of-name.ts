import { FILE_COMPRESSIONS, type FileCompression, type Format, hasOptions, KINDS } from './format-kinds.ts';
import { format as formatSchema } from './schema/schema-formats.ts';

/**
 * What the ending of a name says of a file: its format, with the options of `configured`
 * where that has the same ending, else with the defaults.
 */
export function formatOfName(
  name: string,
  configured: Format,
): { readonly format: Format; readonly compression: FileCompression | undefined } | undefined {
  const [compression, ending = ''] = compressionOfName(name) ?? [];
  const plain = name.slice(0, name.length - ending.length);
  for (const [type, { endings, compressesWithin }] of Object.entries(KINDS)) {
    for (const [ending, options] of Object.entries(endings)) {
      if (!plain.endsWith(ending) || (compression && compressesWithin)) continue;
      const isSame = configured.type === type && hasOptions(configured, options);
      return { format: isSame ? configured : formatSchema.parse({ type, ...options }), compression };
    }
  }
  return undefined;
}

function compressionOfName(name: string): [FileCompression, string] | undefined {
  const known = Object.entries(FILE_COMPRESSIONS) as [FileCompression, string][];
  return known.find(([, ending]) => name.endsWith(ending));
}
