import type { Notification } from './notification.ts';

/**
 * A notification as it is told now: where it links to is the configuration's, which may
 * have changed since.
 */
export interface Told {
  readonly notification: Notification;
  /** The run in the console, where `daemon.publicUrl` says how to reach it. */
  readonly link: string | undefined;
}

export function toldOf(notification: Notification, publicUrl: string | undefined): Told {
  const { run } = notification;
  if (publicUrl === undefined) return { notification, link: undefined };
  const base = publicUrl.replace(/\/*$/, '/');
  return { notification, link: run === undefined ? base : `${base}#/runs/${run}` };
}

/** One line for people: what it is about. */
export function headOf({ event, code, activation }: Notification): string {
  if (event === 'succeeded') return `${activation}: succeeded`;
  return `${activation}: ${code}${event === 'recovered' ? ' is over' : ''}`;
}
