/**
 * An activation with every name looked up, every default filled in and every unit made
 * plain: what a run works from. The shapes follow from the schema; only keys that carry a
 * unit are renamed, by one table.
 */

import { NO_PROXIES, type Proxies } from '../addresses/proxies.ts';
import { unknownNameError } from './checks/nearest-name.ts';
import { type DeepReadonly, deepFreeze } from './deep-freeze.ts';
import { normalizeFolder } from './file-name.ts';
import type { ParameterSet } from './parameters/parameter-set.ts';
import type { BoundParameters } from './parameters/parameter-types.ts';
import { parseTableName, type TableName } from './postgres/table-name.ts';
import type {
  ActivationConfig,
  Config,
  DestinationConfig,
  ModelConfig,
  SourceConfig,
} from './schema/schema.ts';
import type { Redactor } from './secrets.ts';

/**
 * Configuration keys that hold a quantity, and their names once it is in bytes,
 * milliseconds or a ratio.
 */
export const UNIT_NAMES = {
  maxFileSize: 'maxFileBytes',
  stateMemory: 'stateMemoryBytes',
  blockSize: 'blockBytes',
  connectTimeout: 'connectTimeoutMs',
  inactivityTimeout: 'inactivityTimeoutMs',
  statementTimeout: 'statementTimeoutMs',
  lockTimeout: 'lockTimeoutMs',
  timestampOffset: 'timestampOffsetMs',
  every: 'everyMs',
  sasExpiresWithin: 'sasExpiresWithinMs',
  durationOver: 'durationOverMs',
  noSuccessFor: 'noSuccessForMs',
  removedRowsOver: 'removedRowsOverRatio',
  rowsDroppedOver: 'rowsDroppedOverRatio',
  rowsSpikedOver: 'rowsSpikedOverRatio',
} as const;

type UnitNames = typeof UNIT_NAMES;

/** `T` with the keys of `UNIT_NAMES` renamed, one level deep. Distributes over unions. */
export type WithUnits<T> = T extends unknown
  ? { [K in keyof T as K extends keyof UnitNames ? UnitNames[K] : K]: T[K] }
  : never;

type Named<T> = DeepReadonly<T & { name: string }>;

export type ResolvedSource = Named<WithUnits<SourceConfig>>;
export type ResolvedPostgresSource = Extract<ResolvedSource, { type: 'postgres' }>;
export type ResolvedJsonSource = Extract<ResolvedSource, { type: 'json' }>;

type WithoutBlob<Destination> = Destination extends unknown ? Omit<Destination, 'blob'> : never;

/** Where files go. `folder` is '' or ends with one `/`. */
export type ResolvedDestination = Named<WithoutBlob<WithUnits<DestinationConfig>>> & {
  readonly proxies: Proxies;
};

/** `sql` is '' where there is a table, or the source takes none. */
export type ResolvedModel = Named<Pick<ModelConfig, 'primaryKey'> & { sql: string }> & {
  readonly table?: ResolvedTable;
  /** Present where `:name` in its query, or in a filter of it, stands for a value. */
  readonly params?: DeepReadonly<NonNullable<ModelConfig['params']>>;
};

/** A table in the place of a query. */
export interface ResolvedTable extends TableName {
  /** Without it all of them. */
  readonly columns?: readonly string[];
  readonly where?: string;
}

export type ResolvedWarnings = DeepReadonly<WithUnits<ActivationConfig['warnings']>>;
export type ResolvedScheduleEntry = DeepReadonly<WithUnits<ActivationConfig['schedule'][number]>>;
export type ResolvedFormat = DeepReadonly<ActivationConfig['format']>;
export type BlobProperties = DeepReadonly<NonNullable<ActivationConfig['blob']>>;

type LookedUp = 'model' | 'segment' | 'destination' | 'warnings' | 'notes' | 'schedule' | 'blob' | 'manifest';

/** Everything that a run needs to know, deeply frozen. */
export type ResolvedActivation = DeepReadonly<Omit<WithUnits<ActivationConfig>, LookedUp>> & {
  readonly name: string;
  readonly source: ResolvedSource;
  readonly destination: ResolvedDestination;
  readonly model: ResolvedModel;
  /** The filter of the segment, when there is one. */
  readonly where?: string;
  readonly segmentName?: string;
  /** Properties of every file: the destination's, overridden by the activation's. */
  readonly blob: BlobProperties;
  /** Whether runs write manifests. */
  readonly manifest: boolean;
  /** Which manifests of earlier runs are kept; all without it. */
  readonly keepManifests?: { readonly runs: number } | { readonly ms: number };
  /** How much of the local history is kept. */
  readonly history: DeepReadonly<Config['daemon']['history']>;
  readonly warnings: ResolvedWarnings;
  /** Those that are ignored for every activation included. */
  readonly notes: DeepReadonly<ActivationConfig['notes']>;
  readonly schedule: readonly ResolvedScheduleEntry[];
  /** Folder of state, run journal and history, absolute. */
  readonly dataDirectory: string;
  /** Values of the query's parameters in this one run; absent where it has none. */
  readonly parameters?: BoundParameters;
  /** The same values, where there is a baseline for each set of them. */
  readonly parameterSet?: ParameterSet;
  /** The local folder that this one run exports to, in the place of the destination. */
  readonly to?: string;
  /** What notifications go by; the destination has the same. */
  readonly proxies: Proxies;
  /**
   * Conceals values of references in queries, in what is said about one; absent where
   * there are none.
   */
  readonly queryValues?: Redactor;
};

/** A configuration with what comes of the environment that it was loaded in. */
export type ResolvableConfig = DeepReadonly<Config> & {
  readonly proxies?: Proxies;
  readonly queryValues?: Redactor;
};

function withUnits<T extends object>(value: T): WithUnits<T> {
  const names: Record<string, string> = UNIT_NAMES;
  const renamed = Object.entries(value).map(([key, item]) => [names[key] ?? key, item]);
  return Object.fromEntries(renamed) as WithUnits<T>;
}

function lookUp<T>(section: DeepReadonly<Record<string, T>>, kind: string, name: string): DeepReadonly<T> {
  const found = Object.hasOwn(section, name) ? section[name] : undefined;
  if (found !== undefined) return found as DeepReadonly<T>;
  throw unknownNameError(kind, name, Object.keys(section));
}

function blobProperties(
  destination: BlobProperties | undefined,
  activation: BlobProperties | undefined,
): BlobProperties {
  const merged = { ...destination, ...activation };
  if (destination?.metadata && activation?.metadata) {
    merged.metadata = { ...destination.metadata, ...activation.metadata };
  }
  if (destination?.tags && activation?.tags) merged.tags = { ...destination.tags, ...activation.tags };
  return merged;
}

function resolvedModel(
  name: string,
  { sql = '', primaryKey, table, columns, where, params }: DeepReadonly<ModelConfig>,
): ResolvedModel {
  const tableName = table === undefined ? undefined : parseTableName(table);
  const common = { name, sql, primaryKey, ...(params && { params }) };
  if (tableName === undefined) return common;
  return {
    ...common,
    table: { ...tableName, ...(columns && { columns }), ...(where !== undefined && { where }) },
  };
}

/** A destination, and the properties that its files have. */
export function resolveDestination(
  { destinations, proxies = NO_PROXIES }: ResolvableConfig,
  name: string,
): { readonly destination: ResolvedDestination; readonly blob: BlobProperties | undefined } {
  const { blob, ...destination } = {
    blob: undefined,
    ...lookUp(destinations, 'destination', name),
  };
  return {
    destination: { ...destination, name, folder: normalizeFolder(destination.folder), proxies },
    blob,
  };
}

function lookUpAll(config: ResolvableConfig, name: string): ResolvedActivation {
  const activation = lookUp(config.activations, 'activation', name);
  const { model: ownModel, segment: segmentName, destination: destinationName, ...own } = activation;
  const segment = segmentName === undefined ? undefined : lookUp(config.segments, 'segment', segmentName);
  const modelName = segment?.model ?? ownModel ?? '';
  const model = lookUp(config.models, 'model', modelName);
  const source = lookUp(config.sources, 'source', model.source);
  const { destination, blob: destinationBlob } = resolveDestination(config, destinationName);
  const { proxies = NO_PROXIES, queryValues } = config;

  return {
    ...withUnits(own),
    name,
    source: { ...withUnits(source), name: model.source },
    destination,
    model: resolvedModel(modelName, model),
    ...(segment === undefined ? {} : { where: segment.where, segmentName: segmentName as string }),
    blob: blobProperties(destinationBlob, own.blob),
    manifest: own.manifest !== false,
    ...(typeof own.manifest === 'object' &&
      own.manifest.keep !== 'all' && { keepManifests: own.manifest.keep }),
    history: config.daemon.history,
    warnings: withUnits(own.warnings),
    notes: { ignore: [...config.notes.ignore, ...own.notes.ignore] },
    schedule: own.schedule.map(entry => withUnits(entry)),
    dataDirectory: config.dataDirectory,
    proxies,
    ...(queryValues && { queryValues }),
  };
}

/**
 * The activation of that name, ready to run. Throws NAME_UNKNOWN with the known names.
 */
export function resolveActivation(config: ResolvableConfig, name: string): ResolvedActivation {
  return deepFreeze(lookUpAll(config, name)) as ResolvedActivation;
}
