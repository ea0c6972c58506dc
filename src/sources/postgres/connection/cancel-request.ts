import pg from 'pg';
import type { DriverConnection } from '../data-row-stream.ts';

/** What the driver's client has beside its public types. */
export interface DriverInternals {
  readonly connection: DriverConnection;
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean | object;
  readonly sslNegotiation: 'postgres' | 'direct';
}

interface CancelConnection extends DriverConnection {
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number, secretKey: number): void;
}

/**
 * Asks the server, over a connection of its own, to end what the client's session is
 * doing. As libpq does it: the request is written and the other side closes, which says
 * that it was dealt with. A pooler takes a side that is closed early for a client that
 * has gone, and drops the request. Never rejects; a side that does not answer is given up
 * after `timeoutMs`.
 */
export async function sendCancelRequest(driver: DriverInternals, timeoutMs: number): Promise<void> {
  const { processID, secretKey, host, port, ssl, sslNegotiation } = driver;
  if (processID === null || secretKey === null) return;
  const options = { ssl, sslNegotiation } as ConstructorParameters<typeof pg.Connection>[0];
  const connection = new pg.Connection(options) as unknown as CancelConnection;
  const { stream: socket } = connection;
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const ended = new Promise<void>(resolve => socket.once('close', () => resolve()));
  connection.on('error', () => socket.destroy());
  if (ssl && sslNegotiation !== 'direct') connection.once('connect', () => connection.requestSsl());
  connection.once(ssl ? 'sslconnect' : 'connect', () => connection.cancel(processID, secretKey));
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
  else connection.connect(port, host);
  await ended;
  clearTimeout(timer);
}
