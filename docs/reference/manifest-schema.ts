/** JSON Schema of the manifest: docs/reference/manifest.schema.json, for consumers. */

import * as z from 'zod';
import { COLUMN_KINDS } from '../../src/config/schema/schema-sources.ts';
import { count, type SameShape } from '../../src/daemon/api/schemas/component.ts';
import { runSchema } from '../../src/daemon/api/schemas/run-schema.ts';
import type { Manifest } from '../../src/publish/manifest.ts';

const { shape } = runSchema;

const described = z.object({
  version: z.literal(1).describe('Changes when a consumer has to know.'),
  run: shape.run,
  activation: shape.activation,
  generation: shape.generation,
  previousGeneration: shape.previousGeneration,
  runType: shape.runType,
  full: z.boolean().describe('The same as `kind`.'),
  kind: z
    .enum(['full', 'delta'])
    .describe('`full`: replace what you hold by the files. `delta`: merge them into it.'),
  syncMode: shape.syncMode,
  trigger: shape.trigger,
  startedAt: shape.startedAt,
  endedAt: shape.startedAt.describe('When the run was decided.'),
  snapshotTime: shape.startedAt.describe('Instant of the source that the rows are from.'),
  position: z
    .object({
      system: z.string().exactOptional(),
      timeline: z.int().exactOptional(),
      position: z.string().exactOptional(),
      standby: z.boolean().exactOptional(),
    })
    .exactOptional()
    .describe('Where the source stood then, as far as it shows that.'),
  baseline: z
    .object({ generation: count(), run: z.string(), keys: count() })
    .exactOptional()
    .describe('What the next delta is taken against.'),
  columns: z
    .array(
      z.object({
        name: z.string().describe('Name in the files.'),
        source: z.string().describe('Name in the model.'),
        sourceType: z.string().describe('The type as the source names it.'),
        kind: z.enum(COLUMN_KINDS),
      }),
    )
    .describe('Columns of the files, in order.'),
  files: shape.files,
  completion: shape.completion,
  params: shape.params,
  set: z
    .string()
    .exactOptional()
    .describe(
      'Names the values of `params`, where each set of them has a baseline and a series of generations: the newest manifest of it is `sets/SET/latest.json`.',
    ),
  counts: shape.counts,
  changeDetection: shape.changeDetection,
  slices: shape.slices,
  warnings: shape.warnings,
});
true satisfies SameShape<typeof described, Omit<Manifest, 'format'>>;

export function manifestSchema(): Record<string, unknown> {
  const manifest = described.extend({
    format: z
      .object({ type: z.enum(['csv', 'json', 'xml', 'parquet']) })
      .describe('How the files were written: every option of `format` in the configuration.'),
  });
  const schema = z.toJSONSchema(manifest, { io: 'input', target: 'draft-7' });
  return { ...schema, title: 'Manifest of a run of Sluice' };
}
