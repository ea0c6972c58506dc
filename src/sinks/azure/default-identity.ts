import { SluiceError } from '../../errors.ts';

/** What is used of @azure/identity, which an installation may lack. */
interface IdentityModule {
  readonly DefaultAzureCredential: new () => TokenCredential;
}

export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

const PACKAGE = '@azure/identity';

/**
 * Managed identity, workload identity or `az login`, whichever is found first. The package is loaded when the first
 * token is asked for; where it is missing that fails with NOT_AVAILABLE.
 */
export function lazyIdentity(load: () => Promise<unknown> = () => import(PACKAGE)): TokenCredential {
  let loading: Promise<TokenCredential> | undefined;
  return {
    getToken: async (scopes, options) => {
      loading ??= credentialFrom(load);
      return (await loading).getToken(scopes, options);
    },
  };
}

async function credentialFrom(load: () => Promise<unknown>): Promise<TokenCredential> {
  try {
    const { DefaultAzureCredential } = (await load()) as IdentityModule;
    return new DefaultAzureCredential();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const absent = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    throw new SluiceError(
      'NOT_AVAILABLE',
      `auth.identity needs the package ${PACKAGE}, which ${absent ? 'is not installed' : 'failed to load'}`,
      { cause, stage: 'destination', hint: `run: npm install ${PACKAGE}` },
    );
  }
}
