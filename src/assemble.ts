import type { ResolvedActivation } from './config/activation.ts';
import { containerKey } from './config/rules.ts';
import type { Encoder } from './encoders/encoder.ts';
import { SluiceError } from './errors.ts';
import { DESTINATIONS, type Destination, FORMATS, type FormatPart, SOURCES } from './registry.ts';
import type { Column } from './row-batch.ts';
import type { RowSource } from './sources/source.ts';

/** The parts that an activation names, made but not opened. */
export interface Assembly {
  readonly source: RowSource;
  readonly store: Destination;
  /** Account and container, as text that is equal for equal containers; holds no secret. */
  readonly target: string;
  readonly contentType: string;
  createEncoder(columns: readonly Column[]): Encoder;
}

/** Looks every part of an activation up in the registry. `signal` stops what the destination does. */
export function assemble(activation: ResolvedActivation, signal: AbortSignal): Assembly {
  const { destination, format } = activation;
  const part = FORMATS[format.type] as FormatPart<typeof format> | undefined;
  if (part === undefined) {
    throw new SluiceError('NOT_AVAILABLE', `format ${format.type} is not available yet`, {
      stage: 'configuration',
    });
  }
  return {
    source: createSource(activation),
    store: DESTINATIONS[destination.type](destination, signal),
    target: containerKey(destination) ?? destination.container,
    contentType: part.contentType(format),
    createEncoder: columns => part[format.engine](columns, format),
  };
}

/** The source of an activation alone. */
export function createSource({ source, model, where }: ResolvedActivation): RowSource {
  const create = SOURCES[source.type] as (request: object) => RowSource;
  return create({ source, model, where });
}
