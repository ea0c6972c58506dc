/** `npm run assembly`: compiles the row writer into src/encoders/rows/row-writer-code.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

const here = dirname(fileURLToPath(import.meta.url));
export const ROW_WRITER_CODE_PATH = join(here, '../src/encoders/rows/row-writer-code.ts');

/** The text of row-writer-code.ts as the sources here make it. */
export async function compileRowWriter() {
  /** @type {Uint8Array | undefined} */
  let code;
  const options = ['--optimizeLevel', '3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'simd'];
  const { error, stderr } = await main(['row-writer.ts', '--outFile', 'row-writer.wasm', ...options], {
    readFile: (name, folder) => read(join(here, folder, name)),
    writeFile: (name, contents) => {
      if (name === 'row-writer.wasm' && typeof contents !== 'string') code = contents;
    },
    listFiles: () => [],
  });
  if (error || !code) throw new Error(`the row writer does not compile: ${stderr}`, { cause: error });
  const base64 = Buffer.from(code).toString('base64');
  return `/** assembly/row-writer.ts as WebAssembly, in base64. Made by \`npm run assembly\`; a test compares them. */
export const ROW_WRITER_CODE =
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
  writeFileSync(ROW_WRITER_CODE_PATH, await compileRowWriter());
}
