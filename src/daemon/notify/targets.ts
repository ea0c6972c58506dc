import { createHash } from 'node:crypto';
import type { DaemonClock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { DeliveryError, type Sender } from './delivery.ts';
import { Email, type SmtpConfig } from './email.ts';
import type { Topic } from './notification.ts';
import { Webhook } from './webhook.ts';

/** Where notifications of an activation go. */
export interface Target {
  /** The same for the same place, whatever activation names it. Holds no secret. */
  readonly id: string;
  /** For people, such as `webhook 1 of customers_to_lake`. */
  readonly label: string;
  readonly sender: Sender;
  /** What it is told of. */
  readonly on: readonly Topic[];
}

export interface TargetOptions {
  readonly smtp: SmtpConfig | undefined;
  readonly clock: DaemonClock;
  readonly timeoutMs: number;
  readonly version: string;
  /** Where people reach the console. */
  readonly publicUrl?: string | undefined;
  /** Certificates to trust beside those that Node does, in PEM. */
  readonly ca?: string;
}

/** In the order of `notify`. */
export function targetsOf({ name, notify, proxies }: ResolvedActivation, options: TargetOptions): Target[] {
  const { smtp, clock, timeoutMs, version, publicUrl, ca } = options;
  return notify.map((entry, index): Target => {
    const place = `${index + 1} of ${name}`;
    const { on } = entry;
    if ('webhook' in entry) {
      const { style, samples } = entry;
      const url = entry.webhook.reveal();
      const secret = entry.secret?.reveal();
      const userAgent = `Sluice/${version}`;
      const headers = Object.fromEntries(
        Object.entries(entry.headers).map(([header, value]) => [header, value.reveal()]),
      );
      const how = { url, style, secret, headers, publicUrl, proxies, samples };
      const sender = new Webhook({ ...how, clock, timeoutMs, userAgent });
      const more = `${Object.keys(headers).length === 0 ? '' : ` ${JSON.stringify(headers)}`}${samples ? ' samples' : ''}`;
      return {
        id: `webhook ${fingerprint(`${style} ${url}${more}`)}`,
        label: `webhook ${place}`,
        sender,
        on,
      };
    }
    const to = [...entry.email].sort();
    const mail = { to, timeoutMs, publicUrl, ...(ca === undefined ? {} : { ca }) };
    const sender = smtp ? new Email({ smtp, ...mail }) : NO_MAIL;
    return { id: `email ${fingerprint(to.join(' '))}`, label: `e-mail ${place}`, sender, on };
  });
}

/**
 * The configuration refuses mail without a server; a reload may still take the server
 * away from what waits.
 */
const NO_MAIL: Sender = {
  kind: 'email',
  send: () => Promise.reject(new DeliveryError('cannot be sent: there is no daemon.smtp')),
};

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
