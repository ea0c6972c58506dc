import type { Notification } from './notification.ts';

/** Takes one notification to where it is to go. Rejects with `DeliveryError`. */
export interface Sender {
  readonly kind: 'webhook' | 'email';
  send(notification: Notification, signal: AbortSignal): Promise<void>;
}

/** Why a notification could not be delivered, in words that hold no URL. */
export class DeliveryError extends Error {
  /** This very notification was refused, so to send it again would be of no use. */
  readonly isRefusal: boolean;
  /** How long whoever was asked wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: {
      readonly cause?: unknown;
      readonly isRefusal?: boolean;
      readonly retryAfterMs?: number | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.isRefusal = options.isRefusal ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}
