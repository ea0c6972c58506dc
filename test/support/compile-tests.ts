/**
 * Compiles test files with all of ours that they import, once for all of them. A process that compiles module by module as it
 * imports them takes longer to start than most files take to run.
 */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = path.join(import.meta.dirname, '../..');

export interface CompiledTests {
  /** In the order of the files given, each under its own name, as JavaScript with a source map. */
  readonly files: readonly string[];
  remove(): Promise<void>;
}

/** Fails with what the compiler says, after it has said it on the standard error. */
export async function compileTests(files: readonly string[]): Promise<CompiledTests> {
  // Below node_modules, so that the packages are found.
  const folder = path.join(ROOT, 'node_modules/.cache', `sluice-tests-${process.pid}`);
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const names = files.map(file => path.relative(ROOT, path.resolve(file)).replace(/\.ts$/, ''));
  try {
    await build({
      absWorkingDir: ROOT,
      entryPoints: names.map(name => ({ in: `${path.join(ROOT, name)}.ts`, out: name })),
      outdir: folder,
      bundle: true,
      splitting: true,
      chunkNames: 'chunks/[hash]',
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      keepNames: true,
      sourcemap: 'linked',
      sourcesContent: false,
      plugins: [placesOfSources],
      logLevel: 'warning',
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return { files: names.map(name => `${path.join(folder, name)}.js`), remove };
}

/** What a module finds beside itself lies beside its source, wherever it is compiled to. */
export const placesOfSources: Plugin = {
  name: 'places of sources',
  setup({ onLoad }) {
    onLoad({ filter: /\.[jt]s$/ }, async ({ path: file }) => {
      const text = await readFile(file, 'utf8');
      const contents = text
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href))
        .replaceAll('import.meta.dirname', JSON.stringify(path.dirname(file)));
      return { contents, loader: file.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
};
