/**
 * Compiles test files with all of ours that they import, once for all of them. A process
 * that compiles module by module as it imports them takes longer to start than most files
 * take to run.
 */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import type { TestProcess } from './plan-tests.ts';

const ROOT = path.join(import.meta.dirname, '../..');

export interface CompiledTests {
  readonly folder: string;
  /**
   * One for each process, in their order and so named that sorting keeps it, as
   * JavaScript with a source map.
   */
  readonly programs: readonly string[];
  readonly reporter: string;
  remove(): Promise<void>;
}

/** Fails with what the compiler says, after it has said it on the standard error. */
export async function compileTests(processes: readonly TestProcess[]): Promise<CompiledTests> {
  // Below node_modules, so that the packages are found.
  const folder = path.join(ROOT, 'node_modules/.cache', `sluice-tests-${process.pid}`);
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const names = processes.map(({ name }, index) => `${String(index + 1).padStart(4, '0')}/${name}.test`);
  try {
    await build({
      ...COMPILING,
      entryPoints: [
        ...names.map((out, index) => ({ in: `${PROGRAM}${index}`, out })),
        { in: path.join(import.meta.dirname, 'test-reporter.ts'), out: 'test-reporter' },
        ...THREAD_PROGRAMS,
      ],
      outdir: folder,
      sourcemap: 'linked',
      sourcesContent: false,
      plugins: [programs(processes), ...COMPILING.plugins],
      logLevel: 'warning',
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    folder,
    programs: names.map(name => path.join(folder, `${name}.js`)),
    reporter: path.join(folder, 'test-reporter.js'),
    remove,
  };
}

/**
 * For each file the files of ours that it is made of, itself included, relative to the
 * root of the project.
 */
export async function sourcesOf(files: readonly string[]): Promise<Map<string, readonly string[]>> {
  const { metafile } = await build({
    ...COMPILING,
    splitting: false,
    entryPoints: files.map(file => path.resolve(file)),
    outdir: 'nowhere',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const outputs = Object.values(metafile.outputs);
  return new Map(
    outputs.flatMap(({ entryPoint, inputs }) =>
      entryPoint === undefined ? [] : [[entryPoint, Object.keys(inputs)] as const],
    ),
  );
}

const PROGRAM = 'program of tests:';

/** What a process runs: its files, each as a suite of its own where it has several. */
function programs(processes: readonly TestProcess[]): Plugin {
  const usage = JSON.stringify(path.join(import.meta.dirname, 'usage.ts'));
  const environment = JSON.stringify(path.join(import.meta.dirname, 'kept-environment.ts'));
  const cases = JSON.stringify(path.join(import.meta.dirname, 'all-cases.ts'));
  const programOf = ({ files, allCases }: TestProcess): string => {
    const lines = files.map(file => {
      const place = JSON.stringify(path.resolve(file));
      const name = JSON.stringify(file);
      return files.length === 1
        ? `process.once('exit', () => noteUsage(${name})); ${allCases ? 'takeAllCases();' : ''} await import(${place});`
        : `describe(${name}, async () => {
             let restore;
             before(() => (restore = keepEnvironment()));
             await import(${place});
             after(() => (restore(), noteUsage(${name})));
           });`;
    });
    return [
      `import { after, before, describe } from 'node:test';`,
      `import { keepEnvironment } from ${environment}; import { noteUsage } from ${usage};`,
      `import { takeAllCases } from ${cases};`,
      ...lines,
    ].join('\n');
  };
  return {
    name: 'programs of tests',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${PROGRAM}`) }, ({ path: name }) => ({
        path: name.slice(PROGRAM.length),
        namespace: PROGRAM,
      }));
      onLoad({ filter: /./, namespace: PROGRAM }, ({ path: index }) => ({
        contents: programOf(processes[Number(index)]!),
        loader: 'js',
        resolveDir: ROOT,
      }));
    },
  };
}

const SEEDED = path.join(import.meta.dirname, 'seeded-fast-check.ts');

const seededFastCheck: Plugin = {
  name: 'seeded fast-check',
  setup({ onResolve }) {
    onResolve({ filter: /^fast-check$/ }, ({ importer }) =>
      importer === SEEDED ? { path: 'fast-check', external: true } : { path: SEEDED },
    );
  },
};

/**
 * Starts threads of a program that is compiled too, and lies beside it: both are what
 * several programs share.
 */
const THREADS = path.join(ROOT, 'src/run/streaming/parallel/reader-thread.ts');
const THREAD_PROGRAMS = [
  { in: THREADS, out: 'chunks/reader-thread' },
  {
    in: path.join(ROOT, 'src/run/streaming/parallel/reader-thread-entry.ts'),
    out: 'chunks/reader-thread-entry',
  },
];

/**
 * What a module finds beside itself lies beside its source, wherever it is compiled to.
 */
export const placesOfSources = {
  define: {
    'import.meta.url': 'urlOfSource',
    'import.meta.dirname': 'folderOfSource',
    'import.meta.filename': 'fileOfSource',
  },
  plugins: [
    {
      name: 'places of sources',
      setup({ onLoad }) {
        onLoad({ filter: /\.[jt]s$/ }, async ({ path: file }) => {
          const text = await readFile(file, 'utf8');
          if (!text.includes('import.meta.')) return undefined;
          const [url, folder, name] = [pathToFileURL(file).href, path.dirname(file), file].map(place =>
            JSON.stringify(place),
          );
          const places =
            file === THREADS
              ? 'const { url: urlOfSource } = import.meta;'
              : `const urlOfSource = ${url}, folderOfSource = ${folder}, fileOfSource = ${name};`;
          // On the first line, so that the others keep their numbers.
          const contents = `${places} ${text}`;
          return { contents, loader: file.endsWith('.ts') ? 'ts' : 'js' };
        });
      },
    },
  ],
} satisfies BuildOptions;

const COMPILING = {
  absWorkingDir: ROOT,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[hash]',
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  keepNames: true,
  ...placesOfSources,
  plugins: [seededFastCheck, ...placesOfSources.plugins],
} satisfies BuildOptions;
