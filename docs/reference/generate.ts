/** Writes the generated pages of this folder: `npx tsx docs/reference/generate.ts`. */

import { writeFileSync } from 'node:fs';
import { configReference } from '../../src/config/reference.ts';
import { metricsReference } from '../../src/daemon/metrics.ts';

writeFileSync(new URL('configuration.md', import.meta.url), configReference());
writeFileSync(new URL('metrics.md', import.meta.url), metricsReference());
