import { signal } from '@preact/signals';

/** A failure as the daemon tells it, or that it does not answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;

  constructor({
    status,
    code,
    message,
    hint,
  }: { status: number; code: string; message: string; hint: string }) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

const TOKEN_KEY = 'sluice.token';

function keptToken(): string | undefined {
  return sessionStorage.getItem(TOKEN_KEY) ?? localStorage.getItem(TOKEN_KEY) ?? undefined;
}

export const token = signal<string | undefined>(keptToken());
/** Why the daemon asks for a token, while it does. */
export const refused = signal<ApiError | undefined>(undefined);

/** It is kept until the tab is closed, or on this device where somebody asks for that. */
export function signIn(text: string, keep: boolean): void {
  (keep ? localStorage : sessionStorage).setItem(TOKEN_KEY, text);
  token.value = text;
  refused.value = undefined;
}

export function signOut(): void {
  sessionStorage.removeItem(TOKEN_KEY);
  localStorage.removeItem(TOKEN_KEY);
  token.value = undefined;
}

export interface Request {
  readonly method?: 'GET' | 'POST';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Addresses are relative to the page, so that the console works below any prefix. */
export async function request(
  path: string,
  { method = 'GET', body, headers, signal }: Request = {},
): Promise<Response> {
  const given = token.value;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      cache: 'no-store',
      credentials: 'omit',
      headers: {
        ...(given !== undefined && { Authorization: `Bearer ${given}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError({
      status: 0,
      code: 'NO_ANSWER',
      message: 'the daemon does not answer',
      hint: 'look whether it runs, and whether this machine reaches it; the console tries again by itself',
    });
  }
  if (response.ok || response.status === 304) return response;
  const error = await failureOf(response);
  if (error.status === 401) {
    // Without a token the answer says nothing new about the one that was refused.
    if (given !== undefined || refused.value === undefined) refused.value = error;
    if (given !== undefined) signOut();
  }
  throw error;
}

export async function call<T>(path: string, options?: Request): Promise<T> {
  return (await (await request(path, options)).json()) as T;
}

/** Relative, of something about an activation. */
export function addressOf(activation: string, step: string): string {
  return `v1/activations/${encodeURIComponent(activation)}/${step}`;
}

async function failureOf(response: Response): Promise<ApiError> {
  const { status } = response;
  const told = (await response.json().catch(() => undefined)) as { error?: ApiError } | undefined;
  if (told?.error) return new ApiError({ ...told.error, message: told.error.message, status });
  return new ApiError({
    status,
    code: `HTTP_${status}`,
    message: `the answer has status ${status} and is not one of the daemon`,
    hint: 'a proxy between may have made it: look at its log',
  });
}

export function toApiError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ApiError({ status: 0, code: 'CONSOLE', message, hint: 'load the page again' });
}

/** A key for one request that somebody makes: pressed twice, it is still one run. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `console-${Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')}`;
}

export interface SentEvent {
  readonly name: string;
  readonly data: unknown;
}

/** Events of a stream, as `EventSource` would have them: it cannot send a token. */
export async function* eventsOf(response: Response): AsyncGenerator<SentEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name !== undefined && data !== undefined) yield { name, data: JSON.parse(data) };
    }
  }
}
