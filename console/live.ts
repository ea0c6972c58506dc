import { computed, effect, signal } from '@preact/signals';
import { hasEnded } from '../src/history/run-state.ts';
import { type ApiError, call, eventsOf, request, toApiError, token } from './api.ts';
import type { Activation, ListedRun, Me, RunProgress } from './api-types.ts';
import { announce } from './parts/announce.tsx';
import { isProblem, standingOf } from './standing.ts';

/** What is known of everything, kept up to date by one stream of changes. */

export type Connection = 'connecting' | 'live' | 'lost';

export interface LiveProgress extends RunProgress {
  readonly run: string;
  readonly rowsPerSecond: number | undefined;
}

export const me = signal<Me | undefined>(undefined);
export const activations = signal<readonly Activation[] | undefined>(undefined);
export const connection = signal<Connection>('connecting');
/** When the daemon was last heard of. */
export const asOf = signal<Date | undefined>(undefined);
export const failure = signal<ApiError | undefined>(undefined);
export const progress = signal<ReadonlyMap<string, LiveProgress>>(new Map());
/** The newest state of each run that has changed since the page was opened. */
export const changedRuns = signal<ReadonlyMap<string, ListedRun>>(new Map());

export const mayWrite = computed(() => me.value?.may === 'write');
export const mayPreview = computed(() => me.value?.may === 'preview' || mayWrite.value);
/** Only who sees every activation may. */
export const mayReload = computed(() => mayWrite.value && me.value?.activations === undefined);
export const problems = computed(
  () => (activations.value ?? []).filter(activation => isProblem(standingOf(activation))).length,
);

const SAMPLE_MS = 3000;
const samples = new Map<string, { at: number; rows: number; rate: number | undefined }>();

function rateOf(run: string, rowsRead: number): number | undefined {
  const now = performance.now();
  const last = samples.get(run);
  if (last === undefined) {
    samples.set(run, { at: now, rows: rowsRead, rate: undefined });
    return undefined;
  }
  if (now - last.at < SAMPLE_MS / 3) return last.rate;
  const fresh = ((rowsRead - last.rows) * 1000) / (now - last.at);
  const rate = last.rate === undefined ? fresh : last.rate * 0.5 + fresh * 0.5;
  samples.set(run, { at: now, rows: rowsRead, rate });
  return rate;
}

export function takeProgress(told: RunProgress & { readonly run: string }): void {
  const next = new Map(progress.value);
  next.set(told.run, { ...told, rowsPerSecond: rateOf(told.run, told.rowsRead) });
  progress.value = next;
}

export function takeActivation(activation: Activation): void {
  const known = activations.value ?? [];
  const others = known.filter(({ name }) => name !== activation.name);
  activations.value = [...others, activation].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function takeRun(run: ListedRun): void {
  changedRuns.value = new Map(changedRuns.value).set(run.run, run);
  if (!hasEnded(run)) return;
  samples.delete(run.run);
  const next = new Map(progress.value);
  if (next.delete(run.run)) progress.value = next;
  announce(`${run.activation}: the run ${run.state === 'held' ? 'is held' : run.state}`);
}

let etag: string | undefined;

export async function refresh(signal?: AbortSignal): Promise<void> {
  const response = await request('v1/activations', {
    ...(etag !== undefined && activations.value && { headers: { 'If-None-Match': etag } }),
    ...(signal && { signal }),
  });
  asOf.value = new Date();
  if (response.status === 304) return;
  etag = response.headers.get('etag') ?? undefined;
  activations.value = ((await response.json()) as { activations: Activation[] }).activations;
}

const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Nobody looks at a hidden tab. */
function untilVisible(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise(resolve =>
    document.addEventListener('visibilitychange', () => resolve(), { once: true }),
  );
}

let hurry = new AbortController();

/** Tries again at once. */
export function reconnect(): void {
  hurry.abort();
}

async function followOnce(signal: AbortSignal, onLive: () => void): Promise<void> {
  me.value = await call<Me>('v1/me', { signal });
  // The list comes after the stream is open, so that no change falls between.
  const stream = await request('v1/events', { signal });
  await refresh(signal);
  connection.value = 'live';
  failure.value = undefined;
  onLive();
  for await (const { name, data } of eventsOf(stream)) {
    asOf.value = new Date();
    if (name === 'activation') takeActivation(data as Activation);
    else if (name === 'run') takeRun(data as ListedRun);
    else if (name === 'progress') takeProgress(data as RunProgress & { run: string });
    else if (name === 'configuration') {
      me.value = await call<Me>('v1/me', { signal });
      await refresh(signal);
    }
  }
}

async function follow(signal: AbortSignal): Promise<void> {
  let failed = 0;
  while (!signal.aborted) {
    try {
      await followOnce(signal, () => {
        failed = 0;
      });
    } catch (cause) {
      if (signal.aborted) return;
      failure.value = toApiError(cause);
      if (failure.value.status === 401) return;
    }
    if (signal.aborted) return;
    if (connection.value === 'live' && failed === 0) failed = 0;
    connection.value = failure.value === undefined ? 'connecting' : 'lost';
    hurry = new AbortController();
    await pause(RETRY_MS[Math.min(failed++, RETRY_MS.length - 1)]!, AbortSignal.any([signal, hurry.signal]));
    await untilVisible();
  }
}

/** Follows the daemon, and begins anew with another token. */
export function start(): void {
  let following: AbortController | undefined;
  effect(() => {
    void token.value;
    following?.abort();
    following = new AbortController();
    connection.value = 'connecting';
    void follow(following.signal);
  });
}
