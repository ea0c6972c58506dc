import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../results/', import.meta.url));

/** Writes a table or a plot under bench/results/ and returns its path. */
export function writeResult(fileName: string, contents: string): string {
  mkdirSync(FOLDER, { recursive: true });
  const file = path.join(FOLDER, fileName);
  writeFileSync(file, contents);
  return file;
}
