import { SluiceError } from '../errors.ts';
import { NO_PROXIES, type Proxies } from './proxies.ts';
import { routeTo, SDK_PROXY_OPTIONS } from './routes.ts';

/** What is used of @azure/identity, which an installation may lack. */
interface IdentityModule {
  readonly DefaultAzureCredential: new (options: object) => TokenCredential;
}

export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: { readonly abortSignal?: AbortSignal },
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

const PACKAGE = '@azure/identity';

export interface IdentityOptions {
  readonly load?: () => Promise<unknown>;
  readonly proxies?: Pick<Proxies, 'proxyFor'>;
}

/** A request of the SDK, as far as its way is concerned. */
interface RoutedRequest {
  readonly url: string;
  agent?: unknown;
}

/** The service that hands out tokens to a virtual machine. */
const METADATA_SERVICE = new URL('http://169.254.169.254/');

/**
 * Gives each request its way: the service on this machine that hands out tokens is never
 * behind a proxy. The credential of managed identities leaves policies out, and takes the
 * agent: all that it asks is that service.
 */
function optionsFor(proxies: Pick<Proxies, 'proxyFor'>): object {
  const policy = {
    name: 'sluiceRoute',
    sendRequest: (request: RoutedRequest, next: (request: RoutedRequest) => Promise<unknown>) => {
      request.agent = routeTo(new URL(request.url), proxies).agent;
      return next(request);
    },
  };
  return {
    additionalPolicies: [{ policy, position: 'perRetry' }],
    agent: routeTo(METADATA_SERVICE, proxies).agent,
    proxyOptions: SDK_PROXY_OPTIONS,
  };
}

/**
 * Managed identity, workload identity or `az login`, whichever is found first. The
 * package is loaded when the first token is asked for; where it is missing that fails
 * with NOT_AVAILABLE.
 */
export function lazyIdentity({
  load = () => import(PACKAGE),
  proxies = NO_PROXIES,
}: IdentityOptions = {}): TokenCredential {
  let loading: Promise<TokenCredential> | undefined;
  return {
    getToken: async (scopes, options) => {
      loading ??= credentialFrom(load, proxies);
      return (await loading).getToken(scopes, options);
    },
  };
}

async function credentialFrom(
  load: () => Promise<unknown>,
  proxies: Pick<Proxies, 'proxyFor'>,
): Promise<TokenCredential> {
  try {
    const { DefaultAzureCredential } = (await load()) as IdentityModule;
    return new DefaultAzureCredential(optionsFor(proxies));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const absent = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    throw new SluiceError(
      'NOT_AVAILABLE',
      `auth.identity needs the package ${PACKAGE}, which ${absent ? 'is not installed' : 'failed to load'}`,
      { cause, hint: `run: npm install ${PACKAGE}` },
    );
  }
}
