/**
 * What a package of Sluice holds, and that the pages install it and nothing else of its
 * name.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pages, ROOT } from './support/pages.ts';

const { version, scripts, files, bin } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));

test('the package holds the command, the pages, the units and nothing to develop with, and packing builds', () => {
  const arguments_ = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout, stderr, status } = spawnSync('npm', arguments_, { cwd: fileURLToPath(ROOT) });
  assert.equal(status, 0, String(stderr));
  const [packed] = JSON.parse(String(stdout)) as [{ filename: string; files: { path: string }[] }];
  const paths = packed.files.map(({ path }) => path);
  for (const path of ['README.md', 'CHANGELOG.md', 'docs/guide/install.md', 'deploy/sluice.service'])
    assert.ok(paths.includes(path), `${path} is missing`);
  // `dist` is there only once it is built, which packing sees to.
  assert.ok(files.includes('dist') && bin.sluice.startsWith('./dist/'));
  assert.match(scripts.prepack, /npm run .*build/);
  const foreign = paths.filter(path => !/^(?:dist|docs|deploy)\/|^[A-Z]+\.md$|^package\.json$/.test(path));
  assert.deepEqual(foreign, []);
  assert.deepEqual(
    paths.filter(path => /^(?:docs|deploy)\/.*\.ts$/.test(path)),
    [],
  );
  assert.ok(readFileSync(new URL('docs/guide/install.md', ROOT), 'utf8').includes(packed.filename));
  assert.equal(packed.filename, `sluice-${version}.tgz`);
});

test('no page asks a registry for the name, but for the warning not to', () => {
  const asking = pages().flatMap(({ path, text }) =>
    text
      .split('\n')
      .filter(line => /npx (?:-\S+ )*sluice|npm (?:i|install|add|exec) (?:-\S+ )*sluice(?:@|\s|$)/.test(line))
      .map(line => `${path}: ${line}`),
  );
  assert.deepEqual(asking, [
    'docs/guide/install.md: `npx sluice` outside of a clone**. There npx asks the registry for a package of that name, which would not be this one.',
  ]);
});

test('every npm script that a page names is one', () => {
  for (const { path, text } of pages())
    for (const [, script] of text.matchAll(/npm (?:run|run-script) (?:--silent )?([a-z][a-z-]*)/g))
      assert.ok(script! in scripts, `${path}: npm run ${script}`);
});

test('every link from a page to another leads to a file', () => {
  for (const { path, text, url } of pages())
    for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)\s]+)\)/g)) {
      const [file, fragment] = target!.split('#');
      const linked = new URL(file!, url);
      assert.doesNotThrow(
        () => readFileSync(linked.href.endsWith('/') ? new URL('.', linked) : linked),
        `${path}: ${target}`,
      );
      if (fragment !== undefined)
        assert.ok(anchors(readFileSync(linked, 'utf8')).has(fragment), `${path}: ${target}`);
    }
});

/** As GitHub makes them of headings. */
function anchors(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!);
  return new Set(
    headings.map(heading =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('no package that is installed with the command wants a newer Node.js than the oldest supported one', () => {
  const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', ROOT), 'utf8')) as {
    packages: Record<string, { engines?: { node?: string }; dev?: boolean; optional?: boolean }>;
  };
  const wantsNewer = Object.entries(packages)
    .filter(([, { dev, optional }]) => !dev && !optional)
    .filter(([, { engines }]) => Number(/^>=?\s*v?(\d+)/.exec(engines?.node ?? '')?.[1]) > 20)
    .map(([path]) => path);
  assert.deepEqual(wantsNewer, []);
});
