import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Proxies } from '../../addresses/proxies.ts';
import { routeTo } from '../../addresses/routes.ts';
import { isTlsFailure } from '../../addresses/tls-failure.ts';
import { SluiceError } from '../../errors.ts';

export interface DaemonRequest {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

/** For one answer; the longest wait that is asked for is 15 seconds. */
const TIMEOUT_MS = 60_000;

/**
 * One daemon, by its address. A redirect is not followed: the token is for this daemon
 * alone.
 */
export class DaemonConnection {
  readonly #base: URL;
  readonly #token: string;
  readonly #proxies: Proxies;

  /** Throws USAGE where the address or the token cannot be one. */
  constructor(url: string, token: string, environment: Readonly<Record<string, string | undefined>>) {
    if (!/^https?:\/\/[^/]/i.test(url) || !URL.canParse(url))
      throw usage(`--on ${JSON.stringify(url)} is not the URL of a daemon`);
    this.#base = new URL(url);
    const { username, password, search, hash } = this.#base;
    if (username !== '' || password !== '' || search !== '' || hash !== '')
      throw usage('the URL of --on holds more than an address and a path');
    this.#token = token.trim();
    if (!/^[!-~]*$/.test(this.#token))
      throw new SluiceError('USAGE', 'SLUICE_TOKEN holds characters that no token has', {
        hint: 'a token is printable ASCII without spaces',
      });
    this.#proxies = new Proxies(environment);
  }

  /** For messages. */
  get label(): string {
    return this.#base.href.replace(/\/$/, '');
  }

  /** Rejects with DAEMON_CONNECT_FAILED where there is no answer; any status is one. */
  async send(method: string, path: string, request: DaemonRequest): Promise<Answer> {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const message = await this.#request(method, path, { ...request, signal });
      const text = await textOf(message);
      const after = message.headers['retry-after'] ?? '';
      const retryAfterMs = /^\d{1,6}$/.test(after) ? Number(after) * 1000 : undefined;
      return { status: message.statusCode ?? 0, text, retryAfterMs };
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /**
   * An answer that is read as it comes. Rejects as `send`, and where the status is not
   * 200.
   */
  async open(method: string, path: string, request: DaemonRequest): Promise<IncomingMessage> {
    try {
      const message = await this.#request(method, path, request);
      if (message.statusCode === 200) return message;
      message.destroy();
      throw new Error(`the answer is ${message.statusCode}`);
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  #request(method: string, path: string, { body, headers, signal }: DaemonRequest): Promise<IncomingMessage> {
    const url = new URL(`${this.label}${path}`);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { agent } = routeTo(url, this.#proxies);
    const { request } = url.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      request(url, {
        method,
        agent,
        signal,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(this.#token !== '' && { authorization: `Bearer ${this.#token}` }),
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(text)),
          }),
        },
      })
        .on('response', resolve)
        .on('error', reject)
        .end(text);
    });
  }

  #failure(cause: unknown): SluiceError {
    if (cause instanceof SluiceError) return cause;
    const { code, message, name } = cause as NodeJS.ErrnoException;
    const isLate = name === 'TimeoutError' || name === 'AbortError';
    const seen = isLate ? `no answer in ${TIMEOUT_MS / 1000} s` : (code ?? message);
    return new SluiceError('DAEMON_CONNECT_FAILED', `the daemon at ${this.label} does not answer (${seen})`, {
      cause,
      ...(isTlsFailure(code) && {
        retryable: false,
        hint: 'name the authority of the certificate in NODE_EXTRA_CA_CERTS, or write http: for a daemon without TLS',
      }),
    });
  }
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', message, {
    hint: 'give it as in --on http://127.0.0.1:7345, and the token in SLUICE_TOKEN',
  });
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
