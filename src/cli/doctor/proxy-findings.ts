import { resolveActivation } from '../../config/activation.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { accountOf } from '../../sinks/azure/azure-auth.ts';
import { unexpectedError } from '../../system-errors.ts';
import type { Finding } from './finding.ts';

/** Which way the requests to each storage account go. */
export function proxyFindings(config: LoadedConfig['config']): Finding[] {
  const check = 'proxies';
  const activations = Object.keys(config.activations).map(name => resolveActivation(config, name));
  const destinations = new Map(activations.map(({ destination }) => [destination.name, destination]));
  return [...destinations].map(([name, destination]): Finding => {
    try {
      const { endpoint } = accountOf(destination);
      const { host } = new URL(endpoint);
      const proxy = destination.proxies.proxyFor(new URL(endpoint));
      const way = proxy === undefined ? 'directly' : `through the proxy ${proxy.label}`;
      return { check, outcome: 'passed', message: `${name} (${host}) is reached ${way}` };
    } catch (error) {
      const { message, hint } = unexpectedError(error);
      return { check, outcome: 'failed', message: `${name}: ${message}`, hint };
    }
  });
}
