/** Writes the generated pages of this folder: `npx tsx docs/reference/generate.ts`. */

import { writeFileSync } from 'node:fs';
import { configReference } from '../../src/config/reference.ts';
import { apiReference } from '../../src/daemon/api/api-reference.ts';
import { metricsReference } from '../../src/daemon/metrics.ts';
import { errorsReference } from './errors-reference.ts';
import { manifestSchema } from './manifest-schema.ts';

writeFileSync(new URL('configuration.md', import.meta.url), configReference());
writeFileSync(new URL('http-api.md', import.meta.url), apiReference());
writeFileSync(new URL('errors.md', import.meta.url), errorsReference());
writeFileSync(
  new URL('manifest.schema.json', import.meta.url),
  `${JSON.stringify(manifestSchema(), undefined, 2)}\n`,
);
writeFileSync(new URL('metrics.md', import.meta.url), metricsReference());
