/**
 * `npm run assembly`: compiles the modules of this folder into the sources that use them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

const here = dirname(fileURLToPath(import.meta.url));

/** By the name of a module's first file: where its code goes. */
export const MODULES = {
  'row-writer': join(here, '../src/encoders/text/row-writer-code.ts'),
  'row-hasher': join(here, '../src/transforms/row-hasher-code.ts'),
  'binary-fields': join(here, '../src/sources/postgres/values/binary-fields-code.ts'),
  deflate: join(here, '../src/sinks/bodies/deflate/deflate-code.ts'),
  crc64: join(here, '../src/sinks/checksums/crc64-code.ts'),
  'parquet-columns': join(here, '../src/encoders/parquet/fill/parquet-columns-code.ts'),
  'parquet-pages': join(here, '../src/encoders/parquet/pages/parquet-pages-code.ts'),
};

/**
 * The text of the file that holds a module's code, as the sources here make it.
 * @param {string} name
 */
export async function compile(name) {
  /** @type {Uint8Array | undefined} */
  let code;
  const options = ['--optimizeLevel', '3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'simd'];
  const { error, stderr } = await main([`${name}.ts`, '--outFile', `${name}.wasm`, ...options], {
    readFile: (file, folder) => read(join(here, folder, file)),
    writeFile: (file, contents) => {
      if (file === `${name}.wasm` && typeof contents !== 'string') code = contents;
    },
    listFiles: () => [],
  });
  if (error || !code) throw new Error(`${name}.ts does not compile: ${stderr}`, { cause: error });
  const base64 = Buffer.from(code).toString('base64');
  return `/** assembly/${name}.ts as WebAssembly, in base64. Made by \`npm run assembly\`. */
export const ${name.toUpperCase().replaceAll('-', '_')}_CODE =
  '${base64}';
`;
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The compiler tries several names for a module.
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, path] of Object.entries(MODULES)) writeFileSync(path, await compile(name));
}
