import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { apiTokens } from '../../config/api-tokens.ts';
import type { DeepReadonly } from '../../config/deep-freeze.ts';
import type { DaemonConfig } from '../../config/schema/schema.ts';
import { RIGHTS, type Right } from '../../config/schema/schema-daemon.ts';
import { SluiceError } from '../../errors.ts';

export type AccessConfig = DeepReadonly<Pick<DaemonConfig, 'host' | 'tokens' | 'allowedHosts'>>;

/**
 * Who may call: anyone, anyone with a token, or with one that may see rows of sources, or
 * change something. Without tokens in the configuration, all may.
 */
export type Access = 'anyone' | Right;

/** Who calls, as the audit log names them. */
export interface Caller {
  /**
   * The name of the token, or `write 1`: its kind and its place in the configuration.
   * Absent where nobody had to show one.
   */
  readonly token?: string;
  /** Tells tokens apart over rotations without giving them away. */
  readonly fingerprint?: string;
  readonly may: Right | 'nothing';
  /** Patterns of the activations that the token sees; absent where it sees all. */
  readonly activations?: readonly string[];
}

interface KnownToken {
  readonly digest: Buffer;
  readonly caller: Caller;
}

const ANONYMOUS: Caller = { may: 'write' };
const NOBODY: Caller = { may: 'nothing' };
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Takes an address, not a name. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Who may do what.
 *
 * Beside tokens there are two checks that keep web pages out which a browser on this
 * machine or network has open: without tokens the `Host` must be one of ours, so that a
 * name of the page's own that was bound to our address is none (DNS rebinding), and a
 * request that a page makes must come from a page of ours.
 */
export class AccessRules {
  #tokens: readonly KnownToken[] = [];
  #hosts: ReadonlySet<string> = new Set();

  constructor(config: AccessConfig) {
    this.use(config);
  }

  use({ host, tokens, allowedHosts }: AccessConfig): void {
    this.#tokens = apiTokens(tokens).map(({ name, token, may, activations }) => {
      const digest = sha256(token.reveal());
      const fingerprint = sha256(`sluice token ${token.reveal()}`).toString('hex', 0, 4);
      const scope = activations === undefined ? {} : { activations };
      return { digest, caller: { token: name, fingerprint, may, ...scope } };
    });
    this.#hosts = new Set([...LOOPBACK_NAMES, host, ...allowedHosts].map(name => name.toLowerCase()));
  }

  get hasTokens(): boolean {
    return this.#tokens.length > 0;
  }

  /**
   * Who calls; `may: 'nothing'` where a token is asked for and none is shown. Throws
   * UNAUTHORIZED for a wrong one, and FORBIDDEN for another server's `Host` where there
   * are no tokens: no page has a token of ours.
   */
  callerOf(request: IncomingMessage): Caller {
    if (this.#tokens.length === 0) {
      this.#checkOwnHost(request);
      return ANONYMOUS;
    }
    const { authorization } = request.headers;
    if (authorization === undefined) return NOBODY;
    const given = sha256(/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '');
    let found: Caller | undefined;
    // All are compared, whichever is right. One that stands in both lists may write.
    for (const { digest, caller } of this.#tokens) {
      if (timingSafeEqual(digest, given)) found = caller;
    }
    if (found === undefined)
      throw new SluiceError('UNAUTHORIZED', 'the token of the request is none of those known');
    return found;
  }

  /**
   * For what anyone may see. Throws FORBIDDEN for another server's `Host` where there are
   * no tokens.
   */
  checkHost(request: IncomingMessage): void {
    if (this.#tokens.length === 0) this.#checkOwnHost(request);
  }

  /** Throws UNAUTHORIZED or FORBIDDEN. */
  checkRight(caller: Caller, needed: Access): void {
    if (needed === 'anyone') return;
    if (caller.may === 'nothing') throw new SluiceError('UNAUTHORIZED', 'the request has no token');
    if (mayDo(caller, needed)) return;
    const lacks = needed === 'preview' ? 'may not see rows' : 'may not change anything';
    throw new SluiceError('FORBIDDEN', `token ${caller.token} ${lacks}`, {
      hint: `use a token that may ${needed === 'preview' ? 'preview or write' : 'write'} (daemon.tokens)`,
    });
  }

  #checkOwnHost(request: IncomingMessage): void {
    const { host = '' } = request.headers;
    const name = hostName(host);
    if (name !== undefined) {
      if (this.#hosts.has(name) || this.#hosts.has(host.toLowerCase())) return;
      // Where any address is listened on, the one that the client reached is ours.
      if (name === plainAddress(request.socket.localAddress ?? '')) return;
    }
    throw new SluiceError('FORBIDDEN', 'the Host header names another server', {
      hint: 'ask for the address that the daemon listens on, or add the name to daemon.allowedHosts',
    });
  }

  /** Throws FORBIDDEN. A request that no page made has none of these headers. */
  checkOrigin(request: IncomingMessage): void {
    const { host = '', origin, 'sec-fetch-site': site } = request.headers;
    const own =
      origin === undefined || /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
    const near = site === undefined || site === 'same-origin' || site === 'none';
    if (own && near) return;
    throw new SluiceError('FORBIDDEN', 'the request comes from a page of another origin', {
      hint: 'call the daemon from a program, or from its own console',
    });
  }
}

/** Each right holds those before it. */
export function mayDo({ may }: Caller, needed: Right): boolean {
  return may !== 'nothing' && RIGHTS.indexOf(may) >= RIGHTS.indexOf(needed);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** `[::1]:7345` is `::1`. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:@[\]/?#]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** An IPv4 address that came in over an IPv6 socket. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
