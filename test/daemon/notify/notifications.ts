import type { Notification } from '../../../src/daemon/notify/notification.ts';

export function notification(id: string, more: Partial<Notification> = {}): Notification {
  return {
    id,
    event: 'raised',
    code: 'RUN_FAILED',
    severity: 'error',
    activation: 'a',
    run: '20260601-000000-000-abcdef',
    message: 'SOURCE_TIMEOUT: nothing came',
    since: '2026-06-01T00:00:00.000Z',
    at: '2026-06-01T00:00:00.000Z',
    ...more,
  };
}
