import { signal } from '@preact/signals';

const said = signal('');

/** For screen readers, of changes of state only. */
export function announce(text: string): void {
  said.value = text;
}

export function Announcer() {
  return (
    <div class="unseen" role="status" aria-live="polite">
      {said}
    </div>
  );
}
