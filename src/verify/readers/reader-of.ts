import { extensionOf } from '../../config/file-name.ts';
import { format as formatSchema } from '../../config/schema/schema-formats.ts';
import type { FileFormat, ReadFile } from './file-reader.ts';

export interface ChosenReader {
  readonly format: FileFormat;
  /** Whether the bytes are a gzip file around the format. */
  readonly gzip: boolean;
  readonly read: ReadFile;
}

const EXTENSION = /\.(csv|json|ndjson|xml|parquet)(\.gz)?$/;

/**
 * The reader of a file: that of the format as configured where an extension of the
 * user's own says nothing of it, else by the extension of its name, since the
 * configuration may have changed since. The options are those that the configuration
 * has now, where it is for the same kind of file, else the defaults. Parsers are loaded
 * here, when the first file needs them. `undefined` where there is no reader.
 */
export async function readerOf(name: string, configured: FileFormat): Promise<ChosenReader | undefined> {
  const isOwn = name.toLowerCase().endsWith(extensionOf(configured).toLowerCase());
  if (configured.extension !== undefined && isOwn) {
    const gzip = configured.type !== 'parquet' && configured.compression === 'gzip';
    return { format: configured, gzip, read: await load(configured.type) };
  }
  const [, kind, gz] = EXTENSION.exec(name) ?? [];
  if (kind === undefined) return undefined;
  const gzip = gz !== undefined;
  const type = kind === 'ndjson' ? 'json' : kind;
  const plain = extensionOf(configured).replace(/\.gz$/, '') === `.${kind}`;
  const layout = kind === 'ndjson' ? { layout: 'lines' } : {};
  const format = plain ? configured : formatSchema.parse({ type, ...layout });
  return { format, gzip, read: await load(format.type) };
}

async function load(type: FileFormat['type']): Promise<ReadFile> {
  switch (type) {
    case 'csv':
      return (await import('./csv-reader.ts')).readCsv as ReadFile;
    case 'json':
      return (await import('./json-reader.ts')).readJson as ReadFile;
    case 'xml':
      return (await import('./xml-reader.ts')).readXml as ReadFile;
    case 'parquet':
      return (await import('./parquet-reader.ts')).readParquet;
    default:
      return type satisfies never;
  }
}
