import * as z from 'zod';
import type { HeldReason } from '../../../history/run-record.ts';
import type { PlanRecord } from '../../operations.ts';
import { component, count, instant, openEnum, type SameShape } from './component.ts';
import { errorSchema } from './error-schema.ts';
import {
  changeDetection,
  changeName,
  changeSampleSchema,
  runCounts,
  runType,
  runWarning,
  syncMode,
} from './run-schema.ts';

const plannedFile = component(
  'PlannedFile',
  z
    .object({
      name: z.string().describe('Name of the blob in its container.'),
      change: changeName.exactOptional(),
      part: z.int().min(1).describe('Counted from 1.'),
      rows: count(),
      bytes: count().describe('As stored; see `estimated`.'),
    })
    .describe('A file that a run would publish.'),
);

const plannedRun = component(
  'PlannedRun',
  z
    .object({
      activation: z.string(),
      runType,
      syncMode,
      full: z.boolean().describe('Whether every row would be exported.'),
      outcome: z
        .enum(['changes', 'nothing', 'held'])
        .describe('Whether it would publish rows, publish none, or be held.'),
      why: z.string().describe('Why it would be full, or a delta.'),
      previousGeneration: count().describe('Generation that it is taken against; 0 is none.'),
      snapshotTime: instant().exactOptional(),
      changeDetection: changeDetection.exactOptional(),
      counts: runCounts,
      files: z.array(plannedFile),
      estimated: z
        .boolean()
        .describe('Whether bytes, and with them parts, are estimates, as the files are compressed.'),
      completion: z.array(z.string()).exactOptional().describe('Names of completion files.'),
      warnings: z.array(runWarning),
      params: z
        .record(z.string(), z.string().nullable())
        .exactOptional()
        .describe('Values of the query’s parameters, by name.'),
      held: component(
        'PlannedHold',
        z
          .object({
            reason: openEnum<HeldReason>(),
            message: z.string(),
            release: z.string().describe('What would release it.'),
          })
          .describe('What would hold a run.'),
      ).exactOptional(),
      sample: changeSampleSchema,
    })
    .describe('What a run now would publish.'),
);

export const planSchema = component(
  'Plan',
  z
    .object({
      plan: z.string().describe('Id of the plan.'),
      activation: z.string(),
      state: z
        .enum(['queued', 'reading', 'succeeded', 'failed'])
        .describe('`succeeded` and `failed` are final.'),
      asked: z.object({
        full: z.boolean().exactOptional(),
        params: z.record(z.string(), z.string()).exactOptional(),
        rows: count(),
      }),
      requestedAt: instant(),
      startedAt: instant().exactOptional(),
      endedAt: instant().exactOptional(),
      result: plannedRun.exactOptional().describe('Present once the plan has succeeded.'),
      error: errorSchema.exactOptional().describe('Why it failed, as a run would now.'),
    })
    .describe('A plan that was asked for, and what came of it.')
    .meta({
      examples: [
        {
          plan: '20250414-065900-518-p2m4xd',
          activation: 'customers_to_lake',
          state: 'queued',
          asked: { rows: 20 },
          requestedAt: '2025-04-14T06:59:00.518Z',
        },
      ],
    }),
);
true satisfies SameShape<typeof planSchema, PlanRecord>;
