import { readdirSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../../', import.meta.url);

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly url: URL;
  readonly text: string;
}

/** Every page that a user reads: README, changes, contributing and docs. */
export function pages(): Page[] {
  const paths = readdirSync(new URL('docs', ROOT), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.md'))
    .map(path => `docs/${path}`);
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...paths.sort()].map(path => {
    const url = new URL(path, ROOT);
    return { path, url, text: readFileSync(url, 'utf8') };
  });
}
