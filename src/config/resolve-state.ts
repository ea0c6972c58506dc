import { type ResolvableConfig, type ResolvedDestination, resolveDestination } from './activation.ts';
import { normalizeFolder } from './file-name.ts';
import { STATE_FOLDER } from './plan-name.ts';

/** What all machines share that work on one run. */
export type ResolvedState =
  | {
      readonly destination: ResolvedDestination;
      /** Begins with the folder of the destination, and ends with `/`. */
      readonly prefix: string;
      readonly encryptionScope: string | undefined;
    }
  | { readonly destination?: undefined; readonly path: string };

/** `undefined` where the configuration has none. */
export function resolveState(config: ResolvableConfig): ResolvedState | undefined {
  const { state } = config;
  if (state === undefined) return undefined;
  const { destination: name, folder } = state;
  if (name === undefined) return { path: folder! };
  const { destination, blob } = resolveDestination(config, name);
  return {
    destination,
    prefix: `${destination.folder}${normalizeFolder(folder ?? STATE_FOLDER)}`,
    encryptionScope: blob?.encryptionScope,
  };
}
