import { signal } from '@preact/signals';
import { type ApiError, addressOf, call, newKey, toApiError } from './api.ts';
import type { Activation, ListedRun, RunRecord } from './api-types.ts';
import { takeActivation } from './live.ts';

/** What somebody asked for, and why it was refused. */
export const refusal = signal<{ readonly what: string; readonly error: ApiError } | undefined>(undefined);

/** The dialog that is open. */
export type Question =
  | { readonly kind: 'run'; readonly activation: string }
  | { readonly kind: 'allow'; readonly run: ListedRun }
  | { readonly kind: 'pause'; readonly activation: string }
  | { readonly kind: 'cancel'; readonly run: ListedRun }
  | { readonly kind: 'help' };
export const question = signal<Question | undefined>(undefined);

async function attempt<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
  refusal.value = undefined;
  try {
    return await act();
  } catch (cause) {
    refusal.value = { what, error: toApiError(cause) };
    return undefined;
  }
}

export interface RunWish {
  readonly full?: boolean;
  readonly allowRemovals?: boolean;
}

/**
 * One dialog makes one run, however often its button is pressed: `key` is the dialog's.
 */
export function trigger(activation: string, wish: RunWish, key: string): Promise<RunRecord> {
  return call<RunRecord>(addressOf(activation, 'runs'), {
    method: 'POST',
    body: wish,
    headers: { 'Idempotency-Key': key },
  });
}

export function runNow(activation: string): Promise<RunRecord | undefined> {
  return attempt(`No run of ${activation} was made`, () => trigger(activation, {}, newKey()));
}

export async function pauseActivation(activation: string, reason: string): Promise<void> {
  takeActivation(
    await call<Activation>(addressOf(activation, 'pause'), {
      method: 'POST',
      body: reason === '' ? {} : { reason },
    }),
  );
}

export async function resumeActivation(activation: string): Promise<void> {
  await attempt(`${activation} was not resumed`, async () => {
    takeActivation(await call<Activation>(addressOf(activation, 'resume'), { method: 'POST' }));
  });
}

export function cancelRun(run: string): Promise<RunRecord> {
  return call<RunRecord>(`v1/runs/${run}/cancel`, { method: 'POST' });
}
