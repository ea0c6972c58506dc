import { type ResolvedDestination, resolveActivation } from '../../config/activation.ts';
import { placeOf } from '../../config/destinations/destinations.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { SluiceError } from '../../errors.ts';

/** The destinations of all activations that are reached over the network, each once. */
export function remoteDestinations(config: LoadedConfig['config']): ResolvedDestination[] {
  const resolved = Object.keys(config.activations).map(name => resolveActivation(config, name));
  const used = new Map(resolved.map(({ destination }) => [destination.name, destination]));
  return [...used.values()].filter(destination => !placeOf(destination)?.startsWith('file:'));
}

/** Without credentials. */
export function destinationUrl(destination: ResolvedDestination): URL {
  const place = placeOf(destination);
  if (place !== undefined) return new URL(place);
  const message = `the destination ${destination.name} has no address that can be used`;
  throw new SluiceError('CONFIG_INVALID', message, { stage: 'destination' });
}
