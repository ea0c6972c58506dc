import { effect, signal } from '@preact/signals';
import { question } from './actions.ts';
import { go } from './route.ts';

const KEYS_KEY = 'sluice.keys';

export const useShortcuts = signal(localStorage.getItem(KEYS_KEY) !== 'no');
effect(() => localStorage.setItem(KEYS_KEY, useShortcuts.value ? 'yes' : 'no'));

export const shortcuts: readonly { readonly keys: string; readonly does: string }[] = [
  { keys: '/', does: 'Go to the filter' },
  { keys: 'j', does: 'Next row' },
  { keys: 'k', does: 'Row before' },
  { keys: 'Enter', does: 'Open the row' },
  { keys: 'r', does: 'Run the activation' },
  { keys: 'p', does: 'Pause or resume the activation' },
  { keys: 'g a', does: 'Activations' },
  { keys: 'g r', does: 'Runs' },
  { keys: 'g w', does: 'Warnings' },
  { keys: 'g d', does: 'Daemon' },
  { keys: '?', does: 'This list' },
  { keys: 'Esc', does: 'Close' },
];

const PAGES: Readonly<Record<string, string>> = { a: '#/', r: '#/runs', w: '#/warnings', d: '#/daemon' };

function move(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const current = rows.findIndex(row => row.contains(document.activeElement));
  const next = rows[current < 0 ? (step > 0 ? 0 : rows.length - 1) : current + step];
  next?.querySelector<HTMLElement>('a')?.focus();
}

/** Presses the button of the row that has the focus, or of the page. */
function press(key: string): void {
  const row = document.activeElement?.closest('[data-row]');
  (row ?? document).querySelector<HTMLElement>(`[data-key="${key}"]`)?.click();
}

let pending = '';

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !useShortcuts.value) return;
  const target = event.target as HTMLElement;
  if (target.closest('input, select, textarea, dialog')) return;
  const { key } = event;
  const page = pending === 'g' ? PAGES[key] : undefined;
  pending = key === 'g' ? 'g' : '';
  if (page !== undefined) go(page);
  else if (key === '/') document.querySelector<HTMLElement>('[data-filter]')?.focus();
  else if (key === 'j') move(1);
  else if (key === 'k') move(-1);
  else if (key === 'r' || key === 'p') press(key);
  else if (key === '?') question.value = { kind: 'help' };
  else return;
  event.preventDefault();
}

export function listenToKeys(): void {
  addEventListener('keydown', onKey);
}
