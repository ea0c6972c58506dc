import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Paths of files of ours, and names of packages. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(path => /\.(ts|js)$/.test(path) && !path.endsWith('.d.ts'))
  .map(path => {
    const text = readFileSync(join(SRC, path), 'utf8');
    const specifiers = Array.from(text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g), match => match[1]!);
    const imports = specifiers
      .filter(specifier => !specifier.startsWith('node:'))
      .map(specifier =>
        specifier.startsWith('.') ? relative('', join(dirname(path), specifier)) : specifier,
      );
    return { path, text, imports };
  });

/** What a file is, from the bottom up; it may import what is lower, and its own kind. */
const LAYERS: readonly (readonly [name: string, pattern: RegExp])[] = [
  [
    'base',
    /^(row-batch|clock|errors|few-names|lingering-thread|system-errors|plain-error|text-file|wasm-module|zstd)\.(ts|js)$/,
  ],
  ['disk', /^disk\//],
  ['contracts', /^(sources\/source|transforms\/transform|encoders\/encoder|sinks\/sink)\.ts$/],
  ['addresses', /^addresses\//],
  ['sql', /^sql\//],
  ['parts', /^(config|sources|transforms|baseline|encoders|sinks|embedded)\//],
  ['assembly', /^(pipeline|assemble|load-encoder|registry)\.ts$/],
  ['history', /^history\//],
  ['publish', /^publish\//],
  ['state', /^state\//],
  ['verify', /^verify\//],
  ['queue', /^queue\//],
  ['run', /^run\//],
  ['faces', /^(index\.ts$|library\/|cli\/|daemon\/)/],
];
const layerOf = (path: string): number => LAYERS.findIndex(([, pattern]) => pattern.test(path));

/** Parts of one kind do not know parts of another, but for these. */
const KIND_MAY_USE: Readonly<Record<string, readonly string[]>> = { transforms: ['baseline'] };

test('every file has a place in the architecture', () => {
  assert.deepEqual(
    files.filter(({ path }) => layerOf(path) < 0).map(({ path }) => path),
    [],
  );
});

test('imports go down, never up', () => {
  const upward = files.flatMap(({ path, imports }) =>
    imports.filter(to => layerOf(to) > layerOf(path)).map(to => `${path} imports ${to}`),
  );
  assert.deepEqual(upward, []);
});

test('no file imports itself, directly or through others', () => {
  const importsOf = new Map(files.map(({ path, imports }) => [path, imports]));
  const settled = new Set<string>();
  const circles: string[] = [];
  const follow = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' > '));
    if (way.includes(path) || settled.has(path)) return;
    for (const next of importsOf.get(path) ?? []) follow(next, [...way, path]);
    settled.add(path);
  };
  for (const { path } of files) follow(path, []);
  assert.deepEqual(circles, []);
});

test('the daemon knows nothing of the command line', () => {
  const strays = files
    .filter(({ path, imports }) => path.startsWith('daemon/') && imports.some(to => to.startsWith('cli/')))
    .map(({ path }) => path);
  assert.deepEqual(strays, []);
});

test('no folder holds more than eighteen files beside its subfolders', () => {
  const counts = new Map<string, number>();
  for (const { path } of files) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  counts.delete('cli');
  assert.deepEqual(
    [...counts].filter(([, count]) => count > 18),
    [],
  );
});

test('only the registry names a kind of source, format or destination', () => {
  const above = LAYERS.findIndex(([name]) => name === 'parts') + 1;
  const kinds = /^(sinks\/(azure|folder)|sources\/(postgres|json)|encoders\/(csv|json|xml|parquet))\//;
  const strays = files
    .filter(({ path }) => layerOf(path) >= above && path !== 'registry.ts')
    .flatMap(({ path, imports }) => imports.filter(to => kinds.test(to)).map(to => `${path} imports ${to}`));
  assert.deepEqual(strays, []);
});

test('a part knows no part of another kind', () => {
  const kindOf = (path: string): string => path.split('/')[0]!;
  const parts = LAYERS.findIndex(([name]) => name === 'parts');
  const crossing = files
    .filter(({ path }) => layerOf(path) === parts)
    .flatMap(({ path, imports }) =>
      imports
        .filter(to => layerOf(to) === parts && kindOf(to) !== kindOf(path))
        .filter(to => !KIND_MAY_USE[kindOf(path)]?.includes(kindOf(to)))
        .map(to => `${path} imports ${to}`),
    );
  assert.deepEqual(crossing, []);
});

/**
 * Where each package of the path of a row may be named: nobody else has to change when it
 * does.
 */
const PACKAGE_HOMES: Readonly<Record<string, RegExp>> = {
  pg: /^(sources\/postgres\/|embedded\/postgres|queue\/)/,
  'pg-query-stream': /^sources\/postgres\//,
  'http-proxy-agent': /^addresses\/routes/,
  'https-proxy-agent': /^addresses\/routes/,
  '@azure/storage-blob': /^(sinks\/azure\/|cli\/demo\/)/,
  level: /^(baseline|disk)\//,
  'csv-stringify/sync': /^encoders\/csv\/csv-library/,
  'xml-writer': /^encoders\/xml\/xml-library/,
  '@bokuweb/zstd-wasm': /^zstd\.js$/,
  fzstd: /^verify\//,
  zod: /^(config|baseline|history|publish|state|daemon|run\/sliced)\//,
  fastify: /^daemon\/api\/app/,
  yaml: /^(config|cli)\//,
  commander: /^cli\//,
  croner: /^daemon\/schedule\//,
  nodemailer: /^daemon\/notify\//,
  pino: /^daemon\/log\/log/,
  'prom-client': /^daemon\/metrics/,
};

test('each package is named in its own place only', () => {
  const strays = files.flatMap(({ path, imports }) =>
    imports
      .filter(to => PACKAGE_HOMES[to] && !PACKAGE_HOMES[to].test(path))
      .map(to => `${path} imports ${to}`),
  );
  assert.deepEqual(strays, []);
  const named = new Set(files.flatMap(({ imports }) => imports));
  assert.deepEqual(
    Object.keys(PACKAGE_HOMES).filter(name => !named.has(name)),
    [],
  );
});

test('the environment is read in config only, and only the command prints and exits', () => {
  const using = (pattern: RegExp, allowed: RegExp): string[] =>
    files.filter(({ path, text }) => pattern.test(text) && !allowed.test(path)).map(({ path }) => path);
  assert.deepEqual(using(/\bprocess\.env\b/, /^(config|cli)\//), []);
  // The process of a run is a program too.
  const programs = /^cli\/|^daemon\/processes\/run-process-entry\.ts$/;
  assert.deepEqual(using(/\bprocess\.exit(Code)?\b|\bconsole\.\w/, programs), []);
});

test('no file is longer than 500 lines', () => {
  const long = files.filter(({ text }) => text.split('\n').length > 500).map(({ path }) => path);
  assert.deepEqual(long, []);
});
