import { computed, signal } from '@preact/signals';

/**
 * The page is the part of the address behind `#`: it works below any prefix, and the
 * server sees none of it.
 */

const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
});

export interface Place {
  /** The steps of the path, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export const place = computed<Place>(() => {
  const [path = '', query = ''] = hash.value.replace(/^#\/?/, '').split('?');
  const steps = path.split('/').filter(step => step !== '');
  return { path: steps.map(decode), query: new URLSearchParams(query) };
});

function decode(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

export function linkTo(...steps: readonly string[]): string {
  return `#/${steps.map(encodeURIComponent).join('/')}`;
}

export function go(link: string): void {
  location.hash = link;
}

/** The place with other values in its query; those that are empty are left out. */
export function withQuery(values: Readonly<Record<string, string>>): string {
  const { path, query } = place.value;
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  return linkTo(...path) + (text === '' ? '' : `?${text}`);
}
