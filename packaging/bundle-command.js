/**
 * Bundles the command: `dist/bin/sluice.js` and its chunks, from what the compiler left
 * in `dist/`. Loading the hundreds of small files that an export needs takes Node longer
 * than an export of some rows.
 *
 * Only packages that every run needs are bundled; all others are loaded from node_modules
 * when they are asked for.
 */
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = `${ROOT}dist/bin`;

/** With what they depend on, except for these. */
const BUNDLED = [
  'commander',
  'yaml',
  'zod',
  'croner',
  'pg',
  'pg-query-stream',
  '@azure/storage-blob',
  'http-proxy-agent',
  'https-proxy-agent',
];
const NOT_BUNDLED = ['pg-native', 'pg-cloudflare'];

/** @type {import('esbuild').Plugin} */
const packages = {
  name: 'packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === 'entry-point' || path.startsWith('node:')) return undefined;
      const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/');
      const ofBundled = importer.includes('/node_modules/');
      const bundled = (BUNDLED.includes(name) || ofBundled) && !NOT_BUNDLED.includes(name);
      return bundled ? undefined : { path, external: true };
    });
  },
};

/** @type {import('esbuild').BuildOptions} */
const options = {
  absWorkingDir: ROOT,
  entryNames: '[name]',
  outdir: OUT,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'linked',
  plugins: [packages],
  // Packages in CommonJS ask for Node's own modules.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
  },
  // Node loads a whole HTTP client for who looks at its `Response`, as `pg` does without
  // a navigator to look at, and at its `FormData`, as the Azure SDK does with each
  // request; it is sent none.
  define: { navigator: '{"userAgent":"Node.js"}', FormData: 'undefined' },
  logLevel: 'warning',
};

rmSync(OUT, { recursive: true, force: true });
// The files of processes and threads stand beside the chunks, which name them by
// `import.meta.url`.
await build({
  ...options,
  entryPoints: [
    'dist/cli/sluice.js',
    'dist/sinks/checksums/checksum-worker.js',
    'dist/sinks/bodies/deflate/deflate-worker.js',
    'dist/sinks/bodies/zstd-worker.js',
    'dist/encoders/parquet/pages/row-group-worker.js',
    'dist/run/streaming/parallel/reader-thread-entry.js',
  ],
});
// By itself it is in one piece: what it shares with the commands would be in twenty.
await build({ ...options, entryPoints: ['dist/daemon/processes/run-process-entry.js'] });
chmodSync(`${OUT}/sluice.js`, 0o755);
