/**
 * Bundles the command: `dist/bin/sluice.js` and its chunks, from what the compiler left
 * in `dist/`.
 */
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundledPackages, requireInBundles } from './bundled-packages.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = `${ROOT}dist/bin`;

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
  plugins: [bundledPackages],
  banner: { js: requireInBundles },
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
    'dist/sinks/digest-worker.js',
    'dist/encoders/parquet/pages/row-group-worker.js',
  ],
});
// By itself it is in one piece: what it shares with the commands would be in twenty.
await build({ ...options, entryPoints: ['dist/daemon/processes/run-process-entry.js'] });
chmodSync(`${OUT}/sluice.js`, 0o755);
