import type { DaemonClock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type { SmtpConfig } from '../notify/email.ts';
import { type DeliveryOutcome, Outbox } from '../notify/outbox.ts';
import { targetsOf } from '../notify/targets.ts';
import type { DocumentStore, Log } from '../parts.ts';
import { ActivationWarnings } from './activation-warnings.ts';

export interface CreateWarningsOptions {
  readonly documents: DocumentStore;
  readonly clock: DaemonClock;
  readonly log: Log;
  /** Version of Sluice, as webhooks are told it. */
  readonly version: string;
  /** The present configuration, which a reload replaces: asked each time. */
  readonly activations: () => readonly ResolvedActivation[];
  readonly smtp: () => SmtpConfig | undefined;
  /** Where people reach the console. */
  readonly publicUrl: () => string | undefined;
  /** Takes the secrets of the present configuration out of a text. */
  readonly clean: (text: string) => string;
  readonly observe?: (outcome: DeliveryOutcome, kind: 'webhook' | 'email') => void;
}

const DELIVERY_TIMEOUT_MS = 15_000;

/** Warnings with notifications by webhook and mail, as the daemon has them. */
export function createWarnings(options: CreateWarningsOptions): ActivationWarnings {
  const { documents, clock, log, version, activations, smtp, publicUrl, clean, observe } = options;
  const notifications = new Outbox({
    documents,
    clock,
    log,
    activations,
    clean,
    targetsOf: activation =>
      targetsOf(activation, {
        smtp: smtp(),
        publicUrl: publicUrl(),
        clock,
        version,
        timeoutMs: DELIVERY_TIMEOUT_MS,
      }),
    ...(observe === undefined ? {} : { observe }),
  });
  return new ActivationWarnings({ documents, clock, log, notifications });
}
