import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api.ts';
import type { RunError } from '../api-types.ts';

/** What failed, and what to do. */
export function Problem({
  error,
  title,
  children,
}: {
  error: Pick<RunError | ApiError, 'code' | 'message' | 'hint'>;
  title?: string;
  children?: ComponentChildren;
}) {
  return (
    <section class="problem" aria-label={title ?? 'Failure'}>
      {title !== undefined && <h3>{title}</h3>}
      <p class="message">{error.message}</p>
      <p>
        <strong>What to do:</strong> {error.hint}
      </p>
      <p class="soft">
        <code>{error.code}</code>
        {'category' in error && ` · ${error.category}`}
        {'stage' in error && error.stage !== undefined && ` · at the ${error.stage}`}
        {'retryable' in error && (error.retryable ? ' · may pass by itself' : ' · does not pass by itself')}
      </p>
      {children}
    </section>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Lines of the right height, after a moment. */
export function Loading({ lines = 6 }: { lines?: number }) {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <div key={line} class="line" />
      ))}
    </div>
  );
}
