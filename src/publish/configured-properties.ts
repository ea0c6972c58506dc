import type { ResolvedActivation } from '../config/activation.ts';
import type { BlobWriteProperties } from '../sinks/sink.ts';

/** What the configuration says of every file that an activation writes. */
export type ConfiguredProperties = Omit<ResolvedActivation['blob'], 'encryptionScope'>;

/**
 * Without the encryption scope: blocks are staged with it, so that their commit cannot
 * have another.
 */
export function configuredProperties({
  blob: { encryptionScope: _, ...configured },
}: Pick<ResolvedActivation, 'blob'>): ConfiguredProperties {
  return configured;
}

/**
 * All properties of a file: those that its run gives it, and those of the present
 * configuration.
 */
export function propertiesNow(
  own: BlobWriteProperties,
  { metadata, ...configured }: ConfiguredProperties,
): BlobWriteProperties {
  return { ...own, ...configured, metadata: { ...metadata, ...own.metadata } };
}
