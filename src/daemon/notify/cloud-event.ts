import { genericMessage } from './generic-message.ts';
import type { Told } from './told.ts';

const TYPES = {
  succeeded: 'sluice.run.succeeded',
  raised: 'sluice.warning.raised',
  recovered: 'sluice.warning.recovered',
} as const;

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8';

/**
 * CloudEvents 1.0 in structured mode, as Event Grid and Knative take it. `data` is what
 * generic webhooks are posted.
 */
export function cloudEvent(told: Told): Record<string, unknown> {
  const { id, event, code, activation, run, at } = told.notification;
  return {
    specversion: '1.0',
    id,
    type: TYPES[event],
    source: `/sluice/activations/${encodeURIComponent(activation)}`,
    subject: run ?? code,
    time: at,
    datacontenttype: 'application/json',
    data: genericMessage(told),
  };
}
