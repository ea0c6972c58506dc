import { isIP } from 'node:net';
import { SluiceError } from '../errors.ts';
import { isLinkLocal, isLoopback } from './hosts.ts';

/**
 * Which requests go through which proxy: the one rule for blobs, identities and webhooks.
 */

/** A proxy that a variable of the environment names. */
export interface WebProxy {
  /** With its credentials. */
  readonly url: URL;
  /** For people: without them. */
  readonly label: string;
}

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * Lower case first, as curl has it: HTTP_PROXY may be set from a header where programs
 * run as CGI.
 */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  'http:': ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'],
  'https:': ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'],
};
const EXCEPTIONS = ['no_proxy', 'NO_PROXY'];
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * The proxies of an environment. A value is looked at when a request would go by it, and
 * not before.
 */
export class Proxies {
  readonly #environment: ProxyEnvironment;

  constructor(environment: ProxyEnvironment = {}) {
    const names = [...Object.values(VARIABLES).flat(), ...EXCEPTIONS];
    this.#environment = Object.fromEntries(names.map(name => [name, environment[name]]));
  }

  /**
   * Undefined for a request that goes directly. Fails with CONFIG_INVALID, which names
   * the variable.
   */
  proxyFor(target: URL): WebProxy | undefined {
    const { protocol, hostname } = target;
    if (isLoopback(hostname) || isLinkLocal(hostname)) return undefined;
    const name = VARIABLES[protocol]?.find(variable => this.#environment[variable]?.trim());
    if (name === undefined || this.#isExcepted(target)) return undefined;
    return parseProxy(name, this.#environment[name] ?? '');
  }

  /** Passwords, and user names beside them, as they are written and as they are sent. */
  secrets(): string[] {
    const secrets = new Set<string>();
    for (const variable of Object.values(VARIABLES).flat()) {
      const login = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/]*)@/is.exec(
        this.#environment[variable]?.trim() ?? '',
      )?.[1];
      if (login === undefined) continue;
      const password = login.slice(login.indexOf(':') + 1);
      const sent = [password, login, decoded(login)];
      for (const text of [password, Buffer.from(decoded(login)).toString('base64'), ...sent.slice(1)])
        secrets.add(text);
    }
    return [...secrets].filter(text => text !== '');
  }

  toJSON(): string {
    return '(hidden)';
  }

  #isExcepted(target: URL): boolean {
    const name = EXCEPTIONS.find(variable => this.#environment[variable]?.trim());
    const entries = (name && this.#environment[name])?.split(/[\s,;]+/).filter(entry => entry !== '') ?? [];
    return entries.some(entry => matches(entry, target));
  }
}

/** Everything goes directly. */
export const NO_PROXIES = new Proxies();

/** `proxy.corp:8080` is one as well as `http://user:password@proxy.corp:8080/`. */
function parseProxy(variable: string, text: string): WebProxy {
  const trimmed = text.trim().replace(/^(["'])(.*)\1$/, '$2');
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`;
  if (!URL.canParse(written)) throw badProxy(variable, 'is not the URL of a proxy');
  const url = new URL(written);
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    throw badProxy(variable, 'has a password that is wrongly percent-encoded');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw badProxy(
      variable,
      `names a proxy of the kind ${url.protocol.slice(0, -1)}, which is not supported`,
    );
  }
  if (url.hostname === '' || (url.pathname !== '/' && url.pathname !== '') || url.search || url.hash) {
    throw badProxy(variable, 'is not the URL of a proxy');
  }
  return { url, label: url.origin };
}

function badProxy(variable: string, why: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', `the environment variable ${variable} ${why}`, {
    stage: 'configuration',
    hint: `set ${variable} to a URL such as http://proxy.example.com:8080, or unset it; NO_PROXY names hosts that need no proxy`,
  });
}

/**
 * An entry of NO_PROXY: `*`, a host and all below it, an address, a block of addresses,
 * each with a port or without.
 */
function matches(entry: string, target: URL): boolean {
  if (entry === '*') return true;
  const { host, port } = splitPort(entry.toLowerCase());
  if (port !== undefined && port !== (target.port || DEFAULT_PORTS[target.protocol])) return false;
  const hostname = unbracketed(target.hostname.toLowerCase()).replace(/\.$/, '');
  const block = host.indexOf('/');
  if (block > 0) return isInBlock(hostname, unbracketed(host.slice(0, block)), Number(host.slice(block + 1)));
  const name = unbracketed(host).replace(/^\*?\.+|\.$/g, '');
  if (isIP(name)) return isIP(hostname) === isIP(name) && bitsOf(hostname) === bitsOf(name);
  if (name === '*') return true;
  if (isIP(hostname)) return false;
  return name !== '' && (hostname === name || hostname.endsWith(`.${name}`));
}

function splitPort(entry: string): { host: string; port: string | undefined } {
  const bare = entry.replace(/^[a-z][a-z0-9+.-]*:\/\//, '').replace(/\/+$/, '');
  const match = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(bare);
  return match ? { host: match[1] ?? '', port: match[2] } : { host: bare, port: undefined };
}

function unbracketed(host: string): string {
  return host.replace(/^\[(.*)\]/, '$1');
}

function isInBlock(hostname: string, network: string, prefix: number): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(hostname) !== family) return false;
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > (family === 4 ? 32 : 128)) return false;
  return bitsOf(hostname).slice(0, prefix) === bitsOf(network).slice(0, prefix);
}

/** The bits of an address, as text. */
function bitsOf(address: string): string {
  if (isIP(address) === 4) {
    return address
      .split('.')
      .map(byte => Number(byte).toString(2).padStart(8, '0'))
      .join('');
  }
  // The parser of URLs writes every IPv6 address in one form, with hexadecimal groups.
  const written = unbracketed(new URL(`http://[${address}]`).hostname);
  const [head = '', tail] = written.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last]
    .map(group => Number.parseInt(group, 16).toString(2).padStart(16, '0'))
    .join('');
}

function decoded(text: string): string {
  return isDecodable(text) ? decodeURIComponent(text) : text;
}

function isDecodable(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}
