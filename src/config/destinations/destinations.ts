/** `destinations` of the configuration: where files go. Each kind is one line here. */

import * as z from 'zod';
import type { Rule } from '../checks/rule.ts';
import { AZURE_BLOB } from './azure-blob.ts';
import type { DestinationKind } from './destination-kind.ts';
import { FOLDER } from './folder.ts';

const KINDS = { 'azure-blob': AZURE_BLOB, folder: FOLDER };

export const destination = z.discriminatedUnion('type', [AZURE_BLOB.schema, FOLDER.schema]);
export type DestinationConfig = z.output<typeof destination>;

function kindOf(type: DestinationConfig['type']): DestinationKind<DestinationConfig> {
  return KINDS[type] as DestinationKind<DestinationConfig>;
}

export function destinationRules(type: DestinationConfig['type']): readonly Rule<DestinationConfig>[] {
  return kindOf(type).rules;
}

/**
 * Where files go, as a URL without secrets that is equal for equal places. Undefined
 * where the destination cannot be understood.
 */
export function placeOf(destination: DestinationConfig): string | undefined {
  return kindOf(destination.type).place(destination);
}

/** With paths that begin in the folder of the configuration. */
export function locatedDestination<T extends DestinationConfig>(destination: T, directory: string): T {
  return kindOf(destination.type).located(destination, directory) as T;
}
