import { setTimeout as sleep } from 'node:timers/promises';
import type { ActivationStatus, RunEvent } from '../../daemon/operations.ts';
import { ERROR_KINDS, type ErrorCode, SluiceError } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { hasEnded } from '../../history/run-state.ts';
import type { Answer, DaemonConnection } from './daemon-connection.ts';
import { serverSentEvents } from './server-sent-events.ts';

export interface DaemonClientOptions {
  readonly connection: DaemonConnection;
  /** Ends every request. */
  readonly signal: AbortSignal;
  /** How long a daemon that cannot be reached is asked again; default five minutes. */
  readonly patienceMs?: number;
  /** Is called before a request is repeated. */
  readonly onRetry?: (message: string) => void;
}

export interface TriggerOptions {
  readonly full: boolean;
  readonly allowRemovals: boolean;
  readonly params?: Readonly<Record<string, string>>;
  /** Requests with one key make one run, however often they arrive. */
  readonly key: string;
}

export interface RunPageQuery {
  readonly activation?: string;
  readonly limit: number;
  /** Only runs with an id below it. */
  readonly before?: string;
}

export interface RunPageAnswer {
  readonly runs: readonly RunRecord[];
  readonly more: boolean;
}

interface CallOptions {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const PATIENCE_MS = 300_000;
const LEAST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 30_000;
/**
 * What passes by itself: too many waiting runs, a daemon that is starting or ending, a
 * proxy without its backend.
 */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Below the 20 and 30 seconds after which some proxies give up an answer. */
const WAIT = '15s';

/**
 * The HTTP API of a daemon. Every request here may be repeated, a trigger because of its
 * key, and is: until the daemon answers or the patience ends. What it refuses rejects
 * with the code that it answered.
 */
export class DaemonClient {
  readonly #options: DaemonClientOptions;

  constructor(options: DaemonClientOptions) {
    this.#options = options;
  }

  trigger(name: string, { full, allowRemovals, params, key }: TriggerOptions): Promise<RunRecord> {
    const headers = { 'idempotency-key': key };
    return this.#call('POST', `${activationPath(name)}/runs`, {
      body: { full, allowRemovals, ...(params && { params }) },
      headers,
    });
  }

  run(id: string): Promise<RunRecord> {
    return this.#call('GET', `/v1/runs/${encodeURIComponent(id)}`);
  }

  /** The run once it has ended. `onState` is called with each state that is seen. */
  async waitForEnd(run: RunRecord, onState: (record: RunRecord) => void): Promise<RunRecord> {
    let record = run;
    while (!hasEnded(record)) {
      record = await this.#call('GET', `/v1/runs/${encodeURIComponent(run.run)}?wait=${WAIT}`);
      onState(record);
    }
    return record;
  }

  runs(query: RunPageQuery): Promise<RunPageAnswer> {
    const parameters = new URLSearchParams({ limit: String(query.limit) });
    if (query.activation !== undefined) parameters.set('activation', query.activation);
    if (query.before !== undefined) parameters.set('before', query.before);
    return this.#call('GET', `/v1/runs?${parameters}`);
  }

  async activations(): Promise<readonly ActivationStatus[]> {
    const answer = await this.#call<{ activations: ActivationStatus[] }>('GET', '/v1/activations');
    return answer.activations;
  }

  activation(name: string): Promise<ActivationStatus> {
    return this.#call('GET', activationPath(name));
  }

  pause(name: string, reason: string | undefined): Promise<ActivationStatus> {
    return this.#call('POST', `${activationPath(name)}/pause`, {
      body: reason === undefined ? {} : { reason },
    });
  }

  resume(name: string): Promise<ActivationStatus> {
    return this.#call('POST', `${activationPath(name)}/resume`);
  }

  /**
   * Events of the run, the first of which says how it stands. Is not repeated: whoever
   * follows asks for the run then.
   */
  async *events(id: string): AsyncGenerator<RunEvent> {
    const { connection, signal } = this.#options;
    const path = `/v1/runs/${encodeURIComponent(id)}/events`;
    const stream = await connection.open('GET', path, { signal });
    for await (const { event, data } of serverSentEvents(stream)) {
      const content: unknown = JSON.parse(data);
      if (event === 'state') yield { type: 'state', record: content as RunRecord };
      else if (event === 'progress') {
        const progress = content as Extract<RunEvent, { type: 'progress' }>['progress'];
        yield { type: 'progress', run: id, progress };
      }
    }
  }

  async #call<Result>(method: string, path: string, options: CallOptions = {}): Promise<Result> {
    const { connection, signal, patienceMs = PATIENCE_MS, onRetry } = this.#options;
    const giveUpAt = performance.now() + patienceMs;
    for (let pauseMs = LEAST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MOST_PAUSE_MS)) {
      let waitMs = pauseMs * (0.5 + Math.random());
      let failure: SluiceError;
      try {
        const answer = await connection.send(method, path, { ...options, signal });
        if (answer.status < 300) return resultOf<Result>(answer, connection);
        failure = refusal(answer, connection);
        if (!PASSING.has(answer.status)) throw failure;
        if (answer.retryAfterMs !== undefined) waitMs = answer.retryAfterMs;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof SluiceError) || error.code !== 'DAEMON_CONNECT_FAILED' || !error.retryable)
          throw error;
        failure = error;
      }
      if (performance.now() + waitMs > giveUpAt) throw failure;
      onRetry?.(`${failure.message}; trying again`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

function activationPath(name: string): string {
  return `/v1/activations/${encodeURIComponent(name)}`;
}

function resultOf<Result>({ text }: Answer, { label }: DaemonConnection): Result {
  const content = parsed(text);
  if (typeof content === 'object' && content !== null) return content as Result;
  throw new SluiceError(
    'DAEMON_ANSWER_INVALID',
    `${label} does not answer as a Sluice daemon: ${shown(text)}`,
  );
}

function refusal({ status, text }: Answer, { label }: DaemonConnection): SluiceError {
  const { error } = (parsed(text) ?? {}) as { error?: Partial<RunRecord['error']> };
  const { code, message, hint, retryable } = error ?? {};
  if (code === undefined || message === undefined || !Object.hasOwn(ERROR_KINDS, code)) {
    const seen = `${label} answered ${status}: ${message ?? shown(text)}`;
    return new SluiceError('DAEMON_ANSWER_INVALID', seen, {
      retryable: retryable === true || PASSING.has(status),
    });
  }
  return new SluiceError(code as ErrorCode, message, {
    ...(hint !== undefined && { hint: code === 'UNAUTHORIZED' ? TOKEN_HINT : hint }),
    ...(retryable !== undefined && { retryable }),
  });
}

const TOKEN_HINT = 'set SLUICE_TOKEN to one of the tokens in daemon.tokens of the daemon';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const MAX_SHOWN = 200;

function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line || '(an empty answer)';
}
