import type { ResolvedActivation, ResolvedDestination, ResolvedFormat } from './config/activation.ts';
import { placeOf } from './config/destinations/destinations.ts';
import type { Encoder } from './encoders/encoder.ts';
import type { ReadFile } from './encoders/reading/file-reader.ts';
import { loadEncoder } from './load-encoder.ts';
import {
  DESTINATIONS,
  type DestinationOptions,
  type DestinationPart,
  FORMATS,
  type FormatPart,
  SOURCES,
  type SourcePart,
} from './registry.ts';
import type { Column } from './row-batch.ts';
import type { Destination } from './sinks/sink.ts';
import type { RowSource } from './sources/source.ts';

/** The parts that an activation names, made but not opened. */
export interface Assembly {
  readonly source: RowSource;
  readonly store: Destination;
  /**
   * Where files go, as text that is equal for equal places; holds no secret.
   */
  readonly target: string;
  readonly contentType: string;
  createEncoder(columns: readonly Column[]): Encoder;
}

/** Parts of the caller's own, in the place of those that an activation names. */
export interface OwnParts {
  /** For one run, which closes it. */
  readonly source?: RowSource;
  /** Called for each file that begins, with the columns that are written. */
  readonly createEncoder?: (columns: readonly Column[]) => Encoder;
  readonly destination?: Destination;
}

/**
 * Looks every part of an activation up in the registry, but for the caller's own. The
 * signal stops what the destination does.
 */
export async function assemble(
  activation: ResolvedActivation,
  options: DestinationOptions,
  own: OwnParts = {},
): Promise<Assembly> {
  const { destination, format } = activation;
  return {
    source: own.source ?? (await createSource(activation)),
    store: own.destination ?? (await openDestination(destination, options)),
    target: targetOf(destination),
    contentType: contentTypeOf(format),
    createEncoder: own.createEncoder ?? (await loadEncoder(activation)),
  };
}

/** Where files go; see `Assembly`. */
export function targetOf(destination: ResolvedDestination): string {
  return placeOf(destination) ?? destination.name;
}

/** What files of a format are called unless the configuration says otherwise. */
export function contentTypeOf(format: ResolvedFormat): string {
  return (FORMATS[format.type] as FormatPart<typeof format>).contentType(format);
}

/** What reads files of a format back, apart from what writes them. */
export async function loadReader(format: ResolvedFormat): Promise<ReadFile<ResolvedFormat>> {
  return (await FORMATS[format.type].reader()) as ReadFile<ResolvedFormat>;
}

/** The source of an activation alone. */
export async function createSource({
  source,
  model,
  where,
  changeDetection,
  runType,
  parameters,
  parallel,
}: ResolvedActivation): Promise<RowSource> {
  const part = SOURCES[source.type] as SourcePart<typeof source>;
  const create = await part();
  const findsChanges = changeDetection !== 'full' && runType === 'full_then_delta';
  const divides = parallel > 1 && runType === 'full_only';
  return create({ source, model, where, findsChanges, divides, parameters });
}

/**
 * Makes no request. Fails with CONFIG_INVALID or DESTINATION_CREDENTIALS where that shows
 * already.
 */
export async function openDestination(
  destination: ResolvedDestination,
  options: DestinationOptions = {},
): Promise<Destination> {
  const create = await partOf(destination).open();
  return create(destination, options);
}

/** That files can be written to a destination, in words. */
export function readyText(destination: ResolvedDestination): string {
  return partOf(destination).ready(destination);
}

/** When the credentials of a destination expire, where they say so. */
export function credentialsExpireOn(destination: ResolvedDestination): Date | undefined {
  return partOf(destination).expiresOn(destination);
}

function partOf(destination: ResolvedDestination): DestinationPart<typeof destination> {
  return DESTINATIONS[destination.type] as DestinationPart<typeof destination>;
}
