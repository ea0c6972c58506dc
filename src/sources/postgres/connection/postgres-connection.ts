import { lookup } from 'node:dns/promises';
import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { PostgresAddress, PostgresHost } from '../../../addresses/postgres-address.ts';
import { isTlsFailure } from '../../../addresses/tls-failure.ts';
import type { LexerSettings } from '../../../sql/statement-end.ts';
import type { DriverConnection } from '../data-row-stream.ts';
import { HostsFailedError, ScramTooSlowError, WrongSessionError } from '../postgres-errors.ts';
import { type DriverInternals, sendCancelRequest } from './cancel-request.ts';
import { DirectSocket } from './direct-socket.ts';
import { IdentityToken } from './identity-token.ts';
import { guardLogin, watchScramRounds } from './login-guard.ts';
import { passwordOf } from './password-file.ts';
import { tlsOptions } from './tls-options.ts';

export interface PostgresConnectionOptions {
  readonly address: PostgresAddress;
  readonly applicationName: string;
  /** For each host. */
  readonly connectTimeoutMs: number;
}

/**
 * Rounds of SCRAM that a server may ask for. They are computed on a thread, and
 * `connectTimeoutMs` bounds the wait.
 */
const MAX_SCRAM_ROUNDS = 10_000_000;

/**
 * The server's answer to a cancellation or a goodbye is waited for so long; then the
 * connection is dropped.
 */
const FAREWELL_TIMEOUT_MS = 3_000;

interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

/** How one attempt is encrypted. */
type Encryption = ConnectionOptions | false;

/**
 * One connection to one of the hosts of an address, made as libpq makes it: hosts in
 * order, with and without TLS as `sslmode` says, until the session is of the wanted kind.
 */
export class PostgresConnection {
  readonly #options: PostgresConnectionOptions;
  #client: pg.Client | undefined;
  #host: PostgresHost | undefined;
  /** What the server told of its settings. */
  readonly #parameters = new Map<string, string>();
  #connected = false;
  #dropped = false;
  /** Resolves when the socket of the last attempt has closed. */
  #disconnected: Promise<void> = Promise.resolve();
  #failed: Error | undefined;
  #abandoning: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #reportLoss: () => void = () => {};
  /**
   * Rejects when the connection has ended or is abandoned, as requests of the driver do
   * not always.
   */
  readonly lost: Promise<never>;

  constructor(options: PostgresConnectionOptions) {
    this.#options = options;
    this.lost = new Promise((_, reject) => {
      this.#reportLoss = () => reject(new Error('the connection was lost'));
    });
    this.lost.catch(() => {}); // who waits for something hears of it
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** The first failure that was reported outside of any request. */
  get failure(): Error | undefined {
    return this.#failed;
  }

  get client(): pg.Client {
    if (this.#client === undefined) throw new TypeError('the connection has not been made');
    return this.#client;
  }

  /** The driver's own connection of the client. */
  get wire(): DriverConnection {
    return this.#driver.connection;
  }

  get #driver(): DriverInternals {
    return this.client as unknown as DriverInternals;
  }

  get lexer(): LexerSettings {
    return { standardStrings: this.#parameters.get('standard_conforming_strings') !== 'off' };
  }

  /** Whether the server may know `client_connection_check_interval`. */
  get checksClient(): boolean {
    return Number.parseInt(this.#parameters.get('server_version') ?? '', 10) >= 14;
  }

  /** What the connection is, for people: host, and how it is encrypted. */
  get description(): string {
    const { host, port } = this.client;
    const place = host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const socket = this.wire.stream as Socket & { getProtocol?: () => string | null };
    return `${place}, ${socket.getProtocol ? socket.getProtocol() : 'not encrypted'}`;
  }

  /** The host that answers, for further connections to the same server. */
  get peer(): PostgresHost {
    const host = this.#host!;
    const { remoteAddress } = this.wire.stream;
    return remoteAddress === undefined ? host : { ...host, hostaddr: remoteAddress };
  }

  async connect(): Promise<void> {
    const { session, hosts, shuffled } = this.#options.address;
    const ordered = shuffled ? inRandomOrder(hosts) : hosts;
    // First a standby everywhere, then whatever there is.
    const wanted = session === 'prefer-standby' ? (['standby', 'any'] as const) : ([session] as const);
    const failures: { host: PostgresHost; cause: unknown }[] = [];
    for (const kind of wanted) {
      for (const host of ordered) {
        try {
          await this.#connectTo(host);
          await this.#requireSession(kind);
          this.#host = host;
          this.#connected = true;
          void this.#disconnected.then(this.#reportLoss);
          return;
        } catch (cause) {
          failures.push({ host, cause });
          if (this.#dropped || !isWorthAnotherHost(cause)) break;
        }
      }
      // Only a session of the other kind is a reason to ask the same hosts again.
      if (!failures.every(({ cause }) => isWorthAnotherHost(cause))) break;
    }
    const last = failures.slice(-hosts.length);
    throw last.length === 1 ? last[0]!.cause : new HostsFailedError(last);
  }

  async #connectTo(host: PostgresHost): Promise<void> {
    const deadline = performance.now() + this.#options.connectTimeoutMs;
    const encryptions = this.#encryptionsFor(host);
    for (const [index, encryption] of encryptions.entries()) {
      try {
        await this.#attempt(host, encryption, Math.max(1, Math.ceil(deadline - performance.now())));
        return;
      } catch (error) {
        const isLast = index === encryptions.length - 1;
        if (isLast || this.#dropped || !isForOtherEncryption(error, encryption)) throw error;
      }
    }
  }

  #encryptionsFor(host: PostgresHost): readonly Encryption[] {
    const { tls } = this.#options.address;
    if (tls.mode === 'disable' || host.host.startsWith('/')) return [false];
    const encrypted = tlsOptions(tls, host);
    if (tls.mode === 'allow') return [false, encrypted];
    return tls.mode === 'prefer' ? [encrypted, false] : [encrypted];
  }

  async #attempt(host: PostgresHost, encryption: Encryption, timeoutMs: number): Promise<void> {
    const { address, applicationName } = this.#options;
    const { tls, keepAliveMs, channelBinding } = address;
    const isNameless = encryption !== false && !tls.sendsName && isIP(host.host) === 0;
    // The driver sends each name that it connects to.
    const target = host.hostaddr ?? (isNameless ? (await lookup(host.host)).address : host.host);
    const token = address.identity && (await IdentityToken.of(address.identity).current(timeoutMs));
    if (this.#dropped) throw new Error('the connection was closed');
    const client = new pg.Client({
      host: target,
      port: host.port,
      user: address.user,
      database: address.database,
      password: () => token ?? passwordOf(address, host),
      ssl: encryption,
      sslnegotiation: encryption !== false && tls.direct ? 'direct' : 'postgres',
      application_name: applicationName,
      connectionTimeoutMillis: timeoutMs,
      scramMaxIterations: MAX_SCRAM_ROUNDS,
      enableChannelBinding: encryption !== false && channelBinding !== 'disable',
      stream: socketFor as () => Duplex,
      keepAlive: keepAliveMs !== undefined,
      keepAliveInitialDelayMillis: keepAliveMs ?? 0,
    } as pg.ClientConfig);
    // What is not given the driver takes from the environment.
    const settings = (client as unknown as { connectionParameters: object }).connectionParameters;
    Object.assign(settings, { options: address.options, replication: undefined });
    this.#client = client;
    // The socket as it is before TLS, which closes last.
    const { stream: socket } = this.wire;
    this.#disconnected = new Promise(resolve => socket.once('close', () => resolve()));
    client.on('error', error => {
      if (this.#connected && this.#client === client) this.#failed ??= error;
    });
    guardLogin(this.wire, address);
    const scramRounds = watchScramRounds(this.wire);
    this.wire.on('parameterStatus', ({ parameterName, parameterValue }: ParameterStatus) => {
      this.#parameters.set(parameterName, parameterValue);
    });
    try {
      await client.connect();
    } catch (error) {
      socket.destroy();
      const isTimeout = (error as Error).message === 'timeout expired';
      const rounds = isTimeout ? scramRounds() : undefined;
      throw rounds === undefined ? error : new ScramTooSlowError(rounds);
    }
  }

  /** Ends the session again where it is not of the wanted kind. */
  async #requireSession(kind: PostgresAddress['session']): Promise<void> {
    if (kind === 'any') return;
    const client = this.client;
    const { stream: socket } = this.wire;
    const timer = setTimeout(() => socket.destroy(), this.#options.connectTimeoutMs);
    const query = `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only`;
    const answer = client.query<{ standby: boolean; read_only: boolean }>(query);
    const { rows } = await answer.finally(() => clearTimeout(timer));
    const { standby, read_only: readOnly } = rows[0]!;
    const seen = { standby, primary: !standby, 'read-only': readOnly, 'read-write': !readOnly };
    if (seen[kind as keyof typeof seen]) return;
    client.end().catch(() => {});
    setTimeout(() => socket.destroy(), this.#farewellTimeoutMs).unref();
    throw new WrongSessionError(
      kind,
      standby ? 'a standby' : readOnly ? 'read-only' : 'a primary that takes writes',
    );
  }

  /**
   * Gives the connection up, whatever it is doing. A server in the middle of a long sort
   * would not notice for long, so it is asked to stop; only then the connection is
   * dropped, for a pooler forgets at once whose session it was. `close` waits for that.
   */
  abandon(): void {
    this.#dropped = true;
    this.#reportLoss();
    if (this.#client === undefined) return;
    const { stream: socket } = this.wire;
    if (socket.destroyed || !this.#connected) {
      socket.destroy();
      return;
    }
    // Nobody understands the rest: it may begin within a message.
    socket.removeAllListeners('data').pause();
    this.#abandoning ??= sendCancelRequest(this.#driver, this.#farewellTimeoutMs).then(
      () => void socket.destroy(),
    );
  }

  /**
   * Says goodbye and waits until the connection has ended, for a bounded time. Never
   * rejects.
   */
  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    if (!this.#connected) this.abandon();
    let farewell: NodeJS.Timeout | undefined;
    if (this.#client !== undefined && this.#abandoning === undefined && !this.wire.stream.destroyed) {
      const { stream: socket } = this.wire;
      this.client.end().catch(() => {});
      farewell = setTimeout(() => socket.destroy(), this.#farewellTimeoutMs);
    }
    await this.#disconnected;
    clearTimeout(farewell);
    await this.#abandoning;
  }

  get #farewellTimeoutMs(): number {
    return Math.min(FAREWELL_TIMEOUT_MS, this.#options.connectTimeoutMs);
  }
}

/** What the driver calls for a socket, with its settings. */
function socketFor(settings?: { readonly ssl: unknown }): Socket {
  return settings?.ssl ? new Socket() : new DirectSocket();
}

function inRandomOrder<T>(items: readonly T[]): T[] {
  return items
    .map(item => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/**
 * A server that answered and refused this user would be of the same mind elsewhere; one
 * that starts or ends is not.
 */
function isWorthAnotherHost(cause: unknown): boolean {
  if (cause instanceof WrongSessionError) return true;
  if (cause instanceof pg.DatabaseError) return cause.code === '57P03';
  const { code = '', syscall } = cause as NodeJS.ErrnoException;
  return (
    syscall !== undefined ||
    /^E(?!RR_|PROTO)/.test(code) ||
    /^(?:timeout expired|Connection terminated)/.test((cause as Error).message)
  );
}

/**
 * `prefer` goes on in clear where TLS did not come about, and `allow` with TLS where the
 * server wants it.
 */
function isForOtherEncryption(cause: unknown, encryption: Encryption): boolean {
  if (cause instanceof pg.DatabaseError) return cause.code === '28000';
  if (encryption === false) return false;
  const { code, message } = cause as NodeJS.ErrnoException;
  return isTlsFailure(code) || / SSL /.test(message);
}
