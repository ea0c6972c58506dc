import { connect, type Socket } from 'node:net';
import type { DeepReadonly } from '../../config/deep-freeze.ts';
import type { DaemonConfig } from '../../config/schema/schema.ts';
import { DeliveryError, type Sender } from './delivery.ts';
import type { Notification } from './notification.ts';
import { headOf, toldOf } from './told.ts';

export type SmtpConfig = DeepReadonly<NonNullable<DaemonConfig['smtp']>>;

export interface EmailOptions {
  readonly smtp: SmtpConfig;
  readonly to: readonly string[];
  /** For each step of the exchange. */
  readonly timeoutMs: number;
  /** Where people reach the console. */
  readonly publicUrl?: string | undefined;
  /** Certificates to trust beside those that Node does, in PEM. */
  readonly ca?: string;
}

/** Sends a notification as a mail in plain text, to all addresses at once. */
export class Email implements Sender {
  readonly kind = 'email';
  readonly #options: EmailOptions;

  constructor(options: EmailOptions) {
    this.#options = options;
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { smtp, to, timeoutMs, publicUrl, ca } = this.#options;
    const { host, port, security, user, password, from } = smtp;
    const { createTransport } = await import('nodemailer');
    if (signal.aborted) throw new DeliveryError('was interrupted');
    // A connection of our own, since a transport cannot be told to let go of one in the
    // middle of an exchange.
    const connection = connect({ host, port });
    const stop = (): void => void connection.destroy();
    signal.addEventListener('abort', stop);
    try {
      await connected(connection, timeoutMs);
      const transport = createTransport({
        host,
        port,
        connection,
        secure: security === 'tls',
        requireTLS: security === 'starttls',
        ignoreTLS: security === 'none',
        ...(user === undefined ? {} : { auth: { user, pass: password?.reveal() ?? '' } }),
        ...(ca === undefined ? {} : { tls: { ca } }),
        connectionTimeout: timeoutMs,
        greetingTimeout: timeoutMs,
        socketTimeout: timeoutMs,
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      await transport.sendMail({
        from,
        to: [...to],
        messageId: `<${notification.id}@sluice>`,
        date: new Date(notification.at),
        subject: `[Sluice] ${headOf(notification)}`,
        text: textOf(notification, toldOf(notification, publicUrl).link),
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    } catch (cause) {
      throw signal.aborted ? new DeliveryError('was interrupted') : failure(cause);
    } finally {
      signal.removeEventListener('abort', stop);
      connection.destroy();
    }
  }
}

function connected(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = (): void => {
      socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
    };
    socket.setTimeout(timeoutMs, late);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('timeout', late);
      resolve();
    });
    // Whatever comes later is the transport's to hear; this one keeps it from being
    // unhandled.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

function textOf(
  { event, code, severity, activation, run, message, since, at }: Notification,
  link: string | undefined,
): string {
  const about =
    event === 'succeeded'
      ? [`succeeded   ${at}`]
      : [
          `warning     ${code} (${severity})`,
          `state       ${event === 'recovered' ? `over, at ${at}` : `since ${since}`}`,
          ...(event === 'recovered' ? [`since       ${since}`] : []),
        ];
  const lines = [
    message,
    '',
    `activation  ${activation}`,
    ...about,
    ...(run === undefined ? [] : [`run         ${run}`]),
    ...(link === undefined ? [] : ['', link]),
  ];
  return `${lines.join('\n')}\n`;
}

const MAX_ANSWER_SHOWN = 120;

function failure(cause: unknown): DeliveryError {
  const { code, responseCode, message } = cause as { code?: string; responseCode?: number; message?: string };
  const about = message?.replace(/\s+/g, ' ').slice(0, MAX_ANSWER_SHOWN) ?? 'no reason given';
  if (responseCode !== undefined) {
    // Only a 5xx to the envelope or the message is a refusal; one to the login says
    // nothing of the message.
    const isRefusal = responseCode >= 500 && (code === 'EENVELOPE' || code === 'EMESSAGE');
    return new DeliveryError(`answered ${responseCode}: ${about}`, { cause, isRefusal });
  }
  return new DeliveryError(`cannot be reached (${code ?? 'unknown error'}: ${about})`, { cause });
}
