import type {
  ResolvedDestination,
  ResolvedFormat,
  ResolvedModel,
  ResolvedSource,
} from './config/activation.ts';
import { fileCompression } from './config/format-kinds.ts';
import type { BoundParameters } from './config/parameters/parameter-types.ts';
import type { HoldingOf } from './encoders/conversions/holding.ts';
import type { Encoder } from './encoders/encoder.ts';
import type { ReadFile } from './encoders/reading/file-reader.ts';
import type { Column } from './row-batch.ts';
import { sasExpiry } from './sinks/azure/azure-auth.ts';
import type { Destination, Waiting } from './sinks/sink.ts';
import type { PostgresReaderOptions } from './sources/postgres/slices/reader-options.ts';
import type { RowSource, SliceReader } from './sources/source.ts';

/** Every kind of part, one entry each: the only place that names them all. */

type SourceType = ResolvedSource['type'];
type FormatType = ResolvedFormat['type'];
type DestinationType = ResolvedDestination['type'];
type Of<Union extends { type: string }, Type> = Extract<Union, { type: Type }>;

export interface SourceRequest<Source> {
  readonly source: Source;
  readonly model: ResolvedModel;
  readonly where: string | undefined;
  /** Whether it is to be found out which rows have changed since an earlier snapshot. */
  readonly findsChanges: boolean;
  /** Values of the query's parameters, where it has some. */
  readonly parameters?: BoundParameters | undefined;
  /** Whether its rows are to be divided among several readers. */
  readonly divides: boolean;
}

/** Loaded when an activation reads from it. */
export type SourcePart<Source> = () => Promise<(request: SourceRequest<Source>) => RowSource>;

/** An engine is loaded when an activation asks for it: some bring large packages. */
export interface FormatPart<Format extends ResolvedFormat> {
  readonly contentType: (format: Format) => string;
  readonly fast: () => Promise<CreateEncoder<Format>>;
  readonly library: () => Promise<CreateEncoder<Format>>;
  /** Reads files of it back. It shares no code with the engines. */
  readonly reader: () => Promise<ReadFile<Format>>;
  /**
   * What its files can hold, where that is to be looked for: no text format needs it, and
   * the engines refuse by themselves.
   */
  readonly holding?: (format: Format) => Promise<HoldingOf | undefined>;
}
type CreateEncoder<Format> = (columns: readonly Column[], format: Format) => Encoder;

export interface DestinationOptions {
  /** Stops everything. */
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((waiting: Waiting) => void) | undefined;
  /**
   * For how long a request is tried again, in milliseconds; the destination's usual time
   * without it.
   */
  readonly retryBudgetMs?: number | undefined;
  readonly onRetried?: (() => void) | undefined;
}

export interface DestinationPart<Place> {
  readonly open: () => Promise<(destination: Place, options: DestinationOptions) => Destination>;
  /** That files can be written there, in words. */
  readonly ready: (destination: Place) => string;
  /** When its credentials expire, where they say so. */
  readonly expiresOn: (destination: Place) => Date | undefined;
}

export const SOURCES: { readonly [Type in SourceType]: SourcePart<Of<ResolvedSource, Type>> } = {
  postgres: async () => {
    const { PostgresSource } = await import('./sources/postgres/postgres-source.ts');
    return ({ source, model, where, findsChanges, divides, parameters }) => {
      const { name: modelName, sql, table } = model;
      const asked = { findsChanges, divides, parameters };
      return new PostgresSource({ ...source, modelName, sql, table, where, ...asked });
    };
  },
  json: async () => {
    const { JsonSource } = await import('./sources/json/json-source.ts');
    return ({ source }) => new JsonSource(source);
  },
};

/** Who reads slices that a source has divided its rows into. */
export const SLICE_READERS: {
  readonly [Type in SourceType]?: () => Promise<(readerOptions: unknown) => SliceReader>;
} = {
  postgres: async () => {
    const { PostgresSource } = await import('./sources/postgres/postgres-source.ts');
    const { readerSource } = await import('./sources/postgres/slices/reader-options.ts');
    return options => new PostgresSource(readerSource(options as PostgresReaderOptions));
  },
};

/** What files of ours are called unless the configuration says otherwise. */
export const CONTENT_TYPES = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
  lines: 'application/x-ndjson',
  xml: 'application/xml; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
  gzip: 'application/gzip',
  /** RFC 8878. */
  zstd: 'application/zstd',
} as const;

/**
 * A .gz file is a gzip file, and .zst likewise: with a content encoding readers would be
 * given something else than what is stored.
 */
function ofText(format: ResolvedFormat, type: string): string {
  const compression = fileCompression(format);
  return compression === undefined ? type : CONTENT_TYPES[compression];
}

export const FORMATS: { readonly [Type in FormatType]: FormatPart<Of<ResolvedFormat, Type>> } = {
  csv: {
    contentType: format => ofText(format, CONTENT_TYPES.csv.replace('utf-8', format.encoding ?? 'utf-8')),
    fast: async () => {
      const { CsvEncoder } = await import('./encoders/csv/csv.ts');
      return (columns, format) => new CsvEncoder(columns, format);
    },
    library: async () => {
      const { CsvLibraryEncoder } = await import('./encoders/csv/csv-library.ts');
      return (columns, format) => new CsvLibraryEncoder(columns, format);
    },
    reader: async () => (await import('./encoders/csv/csv-reader.ts')).readCsv,
  },
  json: {
    contentType: format =>
      ofText(format, format.layout === 'lines' ? CONTENT_TYPES.lines : CONTENT_TYPES.json),
    fast: async () => {
      const { JsonEncoder } = await import('./encoders/json/json.ts');
      return (columns, format) => new JsonEncoder(columns, format);
    },
    library: async () => {
      const { JsonLibraryEncoder } = await import('./encoders/json/json-library.ts');
      return (columns, format) => new JsonLibraryEncoder(columns, format);
    },
    reader: async () => (await import('./encoders/json/json-reader.ts')).readJson,
  },
  xml: {
    contentType: format => ofText(format, CONTENT_TYPES.xml),
    fast: async () => {
      const { XmlEncoder } = await import('./encoders/xml/xml.ts');
      return (columns, format) => new XmlEncoder(columns, format);
    },
    library: async () => {
      const { XmlLibraryEncoder } = await import('./encoders/xml/xml-library.ts');
      return (columns, format) => new XmlLibraryEncoder(columns, format);
    },
    reader: async () => (await import('./encoders/xml/xml-reader.ts')).readXml,
  },
  parquet: {
    contentType: () => CONTENT_TYPES.parquet,
    fast: async () => {
      const { ParquetEncoder } = await import('./encoders/parquet/parquet.ts');
      return (columns, format) => new ParquetEncoder(columns, format);
    },
    library: async () => {
      const { ParquetLibraryEncoder } = await import('./encoders/parquet/library/parquet-library.ts');
      return (columns, format) => new ParquetLibraryEncoder(columns, format);
    },
    reader: async () => (await import('./encoders/parquet/parquet-reader.ts')).readParquet,
    holding: async format => {
      const { onUnrepresentable = 'fail' } = format;
      if (onUnrepresentable === 'fail') return undefined;
      const { parquetHolding } = await import('./encoders/parquet/parquet-holding.ts');
      return parquetHolding(format);
    },
  },
};

export const DESTINATIONS: {
  readonly [Type in DestinationType]: DestinationPart<Of<ResolvedDestination, Type>>;
} = {
  'azure-blob': {
    open: async () => {
      const { AzureBlobStore } = await import('./sinks/azure/azure-blob-store.ts');
      return (destination, options) => new AzureBlobStore({ ...destination, ...options });
    },
    ready: ({ container, name }) => `container ${container} of ${name} answers`,
    expiresOn: sasExpiry,
  },
  folder: {
    open: async () => {
      const { FolderStore } = await import('./sinks/folder/folder-store.ts');
      return ({ path }, { signal }) => new FolderStore(path, signal);
    },
    ready: ({ path, name }) => `folder ${path} of ${name} can be written`,
    expiresOn: () => undefined,
  },
};
