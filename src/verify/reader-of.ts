import { loadReader } from '../assemble.ts';
import type { ResolvedFormat } from '../config/activation.ts';
import { extensionOf, type FileCompression, fileCompression } from '../config/format-kinds.ts';
import { formatOfName } from '../config/format-of-name.ts';
import type { ReadFile } from '../encoders/reading/file-reader.ts';

export interface ChosenReader {
  readonly format: ResolvedFormat;
  /** What the file as a whole is compressed with, around the format. */
  readonly compression: FileCompression | undefined;
  readonly read: ReadFile<ResolvedFormat>;
}

/**
 * The reader of a file: that of the format as configured where an extension of the
 * user's own says nothing of it, else by the extension of its name, since the
 * configuration may have changed since. Parsers are loaded here, when the first file
 * needs them. `undefined` where there is no reader.
 */
export async function readerOf(name: string, configured: ResolvedFormat): Promise<ChosenReader | undefined> {
  const isOwn = name.toLowerCase().endsWith(extensionOf(configured).toLowerCase());
  const found =
    configured.extension !== undefined && isOwn
      ? { format: configured, compression: fileCompression(configured) }
      : formatOfName(name, configured);
  return found && { ...found, read: await loadReader(found.format) };
}
