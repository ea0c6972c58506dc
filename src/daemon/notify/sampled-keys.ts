import type { ChangeSample, SampledRow } from '../../transforms/change-sampler.ts';
import type { Notification, SampledKeys } from './notification.ts';

/** A message is to be read at a glance. */
const MAX_KEYS = 10;

/** Keys alone: other values stay on the machine. */
export function sampledKeys({ added, updated, removed }: ChangeSample): SampledKeys {
  return { added: keysOf(added), updated: keysOf(updated), removed: keysOf(removed) };
}

function keysOf(rows: readonly SampledRow[]): string[] {
  return rows.slice(0, MAX_KEYS).map(({ key }) => key.map(({ value }) => value ?? 'NULL').join(', '));
}

/** The message, with the keys behind it where there are some. */
export function messageWithKeys({ message, samples }: Notification): string {
  if (samples === undefined) return message;
  const kinds = Object.entries(samples) as [string, readonly string[]][];
  const shown = kinds
    .filter(([, keys]) => keys.length > 0)
    .map(([change, keys]) => `${change} ${keys.map(key => `(${key})`).join(' ')}`);
  return shown.length === 0 ? message : `${message}. Rows, by key: ${shown.join('; ')}`;
}

export function withoutKeys({ samples, ...notification }: Notification): Notification {
  return notification;
}
