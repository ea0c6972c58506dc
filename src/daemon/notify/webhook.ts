import { createHmac } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Proxies, WebProxy } from '../../addresses/proxies.ts';
import { routeTo } from '../../addresses/routes.ts';
import type { DaemonClock } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import { CLOUD_EVENT_TYPE, cloudEvent } from './cloud-event.ts';
import { DeliveryError, type Sender } from './delivery.ts';
import { genericMessage } from './generic-message.ts';
import type { Notification } from './notification.ts';
import { withoutKeys } from './sampled-keys.ts';
import { slackMessage } from './slack-message.ts';
import { teamsMessage } from './teams-message.ts';
import { type Told, toldOf } from './told.ts';

export type WebhookStyle = 'generic' | 'slack' | 'teams' | 'cloudevents';

const MESSAGES: Readonly<Record<WebhookStyle, (told: Told) => Record<string, unknown>>> = {
  generic: genericMessage,
  slack: slackMessage,
  teams: teamsMessage,
  cloudevents: cloudEvent,
};

export interface WebhookOptions {
  readonly url: string;
  readonly style: WebhookStyle;
  /** What else each post carries. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where people reach the console. */
  readonly publicUrl?: string | undefined;
  /** Whether it may show keys of rows. */
  readonly samples?: boolean;
  /** Signs what is posted. */
  readonly secret: string | undefined;
  readonly clock: DaemonClock;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  /** Default none. */
  readonly proxies?: Proxies;
}

/** What an answer is read of, to say why it refused. */
const MAX_ANSWER_BYTES = 1024;
const MAX_ANSWER_SHOWN = 120;

/**
 * These say that the message is wrong, not that its receiver is: the ones behind it may
 * still be taken.
 */
const REFUSALS: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/**
 * Posts a notification as JSON. A redirect is a failure: a URL that holds a secret is
 * told to nobody else.
 */
export class Webhook implements Sender {
  readonly kind = 'webhook';
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { url, style, headers, publicUrl, samples, clock, timeoutMs, userAgent, proxies } = this.#options;
    const body = JSON.stringify(
      MESSAGES[style](toldOf(samples ? notification : withoutKeys(notification), publicUrl)),
    );
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    let isLate = false;
    const cancelTimer = clock.after(timeoutMs, () => {
      isLate = true;
      stop();
    });
    const target = new URL(url);
    let proxy: WebProxy | undefined;
    try {
      const route = routeTo(target, proxies);
      proxy = route.proxy;
      const answer = await post(target, {
        agent: route.agent,
        headers: {
          ...headers,
          'content-type': style === 'cloudevents' ? CLOUD_EVENT_TYPE : 'application/json',
          'user-agent': userAgent,
          'x-sluice-event': notification.id,
          ...this.#signature(body),
        },
        body,
        signal: abort.signal,
      });
      const text = await startOf(answer);
      const status = answer.statusCode ?? 0;
      if (status < 200 || status > 299) throw refused(answer, text, clock.now());
    } catch (error) {
      if (error instanceof DeliveryError) throw error;
      if (isLate) throw new DeliveryError(`gave no answer in ${timeoutMs / 1000} s`);
      if (signal.aborted) throw new DeliveryError('was interrupted');
      if (error instanceof SluiceError) throw new DeliveryError(`cannot be sent: ${error.message}`);
      const way = proxy ? ` through the proxy ${proxy.label}` : '';
      throw new DeliveryError(`cannot be reached${way} (${networkCode(error)})`, { cause: error });
    } finally {
      cancelTimer();
      signal.removeEventListener('abort', stop);
    }
  }

  /**
   * Over time and body, so that a receiver can refuse what it was not sent, and what it
   * was sent long ago.
   */
  #signature(body: string): Record<string, string> {
    const { secret, clock } = this.#options;
    if (secret === undefined) return {};
    const seconds = Math.floor(clock.now().getTime() / 1000);
    const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
    return { 'x-sluice-signature': `t=${seconds},v1=${mac}` };
  }
}

interface Post {
  readonly agent: http.Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** Follows no redirect. */
function post(url: URL, { body, headers, ...options }: Post): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http;
  const length = String(Buffer.byteLength(body));
  return new Promise((resolve, reject) => {
    request(url, { ...options, method: 'POST', headers: { ...headers, 'content-length': length } })
      .on('response', resolve)
      .on('error', reject)
      .end(body);
  });
}

async function startOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8');
}

function refused({ statusCode, headers }: IncomingMessage, text: string, now: Date): DeliveryError {
  const status = statusCode ?? 0;
  const shown = text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_ANSWER_SHOWN);
  const message = `answered ${status}${shown === '' ? '' : `: ${shown}`}`;
  const retryAfterMs = retryAfter(headers['retry-after'], now);
  return new DeliveryError(message, { isRefusal: REFUSALS.has(status), retryAfterMs });
}

/** Seconds, or a date. */
function retryAfter(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return ms > 0 ? ms : undefined;
}

/** The code of the innermost error: its message may hold the URL. */
function networkCode(error: unknown): string {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  const { code, name } = innermost as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
