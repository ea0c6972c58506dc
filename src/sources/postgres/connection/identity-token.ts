import { lazyIdentity, type TokenCredential } from '../../../addresses/default-identity.ts';
import type { TokenSource } from '../../../addresses/postgres-address.ts';
import { SluiceError } from '../../../errors.ts';

/** One that is nearly over might be over when the server looks at it. */
const RENEWED_BEFORE_MS = 5 * 60_000;

interface IssuedToken {
  readonly token: string;
  readonly until: number;
}

/**
 * The token that a connection logs in with: the last one while it is good for a while,
 * else a new one.
 */
export class IdentityToken {
  static readonly #bySource = new WeakMap<TokenSource, IdentityToken>();
  readonly #scope: string;
  readonly #credential: TokenCredential;
  readonly #now: () => number;
  #issued: IssuedToken | undefined;

  /** Connections of one source share it. */
  static of(source: TokenSource): IdentityToken {
    const known =
      IdentityToken.#bySource.get(source) ?? new IdentityToken(source.scope, lazyIdentity(source));
    IdentityToken.#bySource.set(source, known);
    return known;
  }

  constructor(scope: string, credential: TokenCredential, now: () => number = Date.now) {
    this.#scope = scope;
    this.#credential = credential;
    this.#now = now;
  }

  /** Rejects with SOURCE_CREDENTIALS or NOT_AVAILABLE. */
  async current(timeoutMs: number): Promise<string> {
    if (this.#issued !== undefined && this.#now() < this.#issued.until - RENEWED_BEFORE_MS) {
      return this.#issued.token;
    }
    const found = await this.#ask(timeoutMs);
    this.#issued = { token: found.token, until: found.expiresOnTimestamp };
    return found.token;
  }

  async #ask(timeoutMs: number): Promise<{ token: string; expiresOnTimestamp: number }> {
    const abortSignal = AbortSignal.timeout(timeoutMs);
    try {
      const found = await this.#credential.getToken(this.#scope, { abortSignal });
      if (found !== null) return found;
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      // What each kind of identity says is long, and for most of them beside the point.
      const [why] = (cause as Error).message.split('\n');
      throw noToken(this.#scope, abortSignal.aborted ? `none came in ${timeoutMs} ms` : why!, cause);
    }
    throw noToken(this.#scope, 'the identity has none');
  }
}

function noToken(scope: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError('SOURCE_CREDENTIALS', `no token for ${scope} could be had: ${why}`, {
    cause,
    stage: 'source',
    hint: 'give the machine a managed identity, the pod a workload identity, or sign in with az login; `AZURE_CLIENT_ID` names one of several',
  });
}
