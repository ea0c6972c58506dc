/**
 * Builds the web console: `dist/console/` with one script and one style, whose names
 * change with what is in them, and each file packed beside itself.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = `${ROOT}dist/console/`;
/**
 * Limit of the script as it is sent: people open the console over slow lines, when
 * something is wrong.
 */
const SCRIPT_LIMIT = 80_000;

rmSync(OUT, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: { app: 'console/main.tsx', style: 'console/style.css' },
  outdir: OUT,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  // Browsers name the origin of a page that loads a module, and proxies may have changed
  // the name of the host.
  format: 'iife',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});

/** @type {(ending: string) => string} */
const built = ending => {
  const path = Object.keys(metafile.outputs).find(name => name.endsWith(ending));
  if (path === undefined) throw new Error(`the console has no ${ending}`);
  return basename(path);
};
const names = { SCRIPT: built('.js'), STYLE: built('.css') };
const page = readFileSync(`${ROOT}console/index.html`, 'utf8').replace(
  /SCRIPT|STYLE/g,
  word => names[/** @type {keyof typeof names} */ (word)],
);
writeFileSync(`${OUT}index.html`, page);
for (const name of ['icon.svg', 'icon-alert.svg'])
  writeFileSync(OUT + name, readFileSync(`${ROOT}console/${name}`));

for (const name of ['index.html', names.SCRIPT, names.STYLE]) {
  const bytes = readFileSync(OUT + name);
  const packed = brotliCompressSync(bytes);
  writeFileSync(`${OUT}${name}.br`, packed);
  writeFileSync(`${OUT}${name}.gz`, gzipSync(bytes, { level: 9 }));
  if (name === names.SCRIPT && packed.length > SCRIPT_LIMIT)
    throw new Error(
      `the script of the console has ${packed.length} bytes packed, and ${SCRIPT_LIMIT} are allowed`,
    );
}
