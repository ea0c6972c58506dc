import { type ResolvedDestination, resolveActivation } from '../../config/activation.ts';
import { containerKey } from '../../config/checks/rules.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { SluiceError } from '../../errors.ts';

/** The destinations of all activations, each once. */
export function usedDestinations(config: LoadedConfig['config']): ResolvedDestination[] {
  const resolved = Object.keys(config.activations).map(name => resolveActivation(config, name));
  return [...new Map(resolved.map(({ destination }) => [destination.name, destination])).values()];
}

/** Without credentials. */
export function containerUrl(destination: ResolvedDestination): URL {
  const key = containerKey(destination);
  if (key !== undefined) return new URL(key);
  const message = `the destination ${destination.name} has no address that can be used`;
  throw new SluiceError('CONFIG_INVALID', message, { stage: 'destination' });
}
