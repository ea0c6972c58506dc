import type { LoadedConfig } from '../../config/load.ts';
import { unexpectedError } from '../../system-errors.ts';
import { destinationUrl, remoteDestinations } from './destinations.ts';
import type { Finding } from './finding.ts';

/** Which way the requests to each destination go. */
export function proxyFindings(config: LoadedConfig['config']): Finding[] {
  const check = 'proxies';
  return remoteDestinations(config).map((destination): Finding => {
    try {
      const url = destinationUrl(destination);
      const proxy = destination.proxies.proxyFor(url);
      const way = proxy === undefined ? 'directly' : `through the proxy ${proxy.label}`;
      return { check, outcome: 'passed', message: `${destination.name} (${url.host}) is reached ${way}` };
    } catch (error) {
      const { message, hint } = unexpectedError(error);
      return { check, outcome: 'failed', message: `${destination.name}: ${message}`, hint };
    }
  });
}
