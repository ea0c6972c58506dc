/**
 * Compiles test files with all of ours that they import, once for all of them. A process that compiles module by module as it
 * imports them takes longer to start than most files take to run.
 */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build } from 'esbuild';

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
      ...placesOfSources,
      logLevel: 'warning',
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return { files: names.map(name => `${path.join(folder, name)}.js`), remove };
}

/** What a module finds beside itself lies beside its source, wherever it is compiled to. */
export const placesOfSources = {
  define: { 'import.meta.url': 'urlOfSource', 'import.meta.dirname': 'folderOfSource' },
  plugins: [
    {
      name: 'places of sources',
      setup({ onLoad }) {
        onLoad({ filter: /\.[jt]s$/ }, async ({ path: file }) => {
          const text = await readFile(file, 'utf8');
          if (!text.includes('import.meta.')) return undefined;
          const [url, folder] = [pathToFileURL(file).href, path.dirname(file)].map(place =>
            JSON.stringify(place),
          );
          // On the first line, so that the others keep their numbers.
          const contents = `const urlOfSource = ${url}, folderOfSource = ${folder}; ${text}`;
          return { contents, loader: file.endsWith('.ts') ? 'ts' : 'js' };
        });
      },
    },
  ],
} satisfies BuildOptions;
