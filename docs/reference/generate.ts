/** Writes the generated pages of this folder: `npx tsx docs/reference/generate.ts`. */

import { writeFileSync } from 'node:fs';
import { configReference } from './configuration-page.ts';
import { errorsReference } from './errors-page.ts';
import { apiReference } from './http-api-page.ts';
import { manifestSchema } from './manifest-schema.ts';
import { metricsReference } from './metrics-page.ts';

writeFileSync(new URL('configuration.md', import.meta.url), configReference());
writeFileSync(new URL('http-api.md', import.meta.url), apiReference());
writeFileSync(new URL('errors.md', import.meta.url), errorsReference());
writeFileSync(
  new URL('manifest.schema.json', import.meta.url),
  `${JSON.stringify(manifestSchema(), undefined, 2)}\n`,
);
writeFileSync(new URL('metrics.md', import.meta.url), metricsReference());
