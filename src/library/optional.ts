/** What a program may leave out of a request, since most have nothing to say about it. */
export interface Abortable {
  /** Stops it; nothing does without one. */
  readonly signal?: AbortSignal;
}

export function signalOf({ signal }: Abortable): AbortSignal {
  return signal ?? new AbortController().signal;
}
