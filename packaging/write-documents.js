/**
 * Writes what editors and clients of the package read: `dist/sluice.schema.json` and
 * `dist/openapi.json`, from what the compiler left in `dist/`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/config/schema/json-schema.js';
import { openApiDocument } from '../dist/daemon/api/openapi.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const documents = { 'sluice.schema.json': configJsonSchema(), 'openapi.json': openApiDocument(version) };

for (const [name, document] of Object.entries(documents)) {
  const path = new URL(`../dist/${name}`, import.meta.url);
  writeFileSync(path, `${JSON.stringify(document, undefined, 2)}\n`);
}
