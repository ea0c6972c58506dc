import * as z from 'zod';
import { RUN_STATES } from './run-state.ts';

const problem = z.looseObject({ code: z.string(), message: z.string() });

/**
 * What readers of a kept record go by. It may have been written by another version, so
 * further fields are let through, and few are required.
 */
export const keptRecord = z.looseObject({
  run: z.string(),
  activation: z.string().exactOptional(),
  state: z.enum(RUN_STATES).exactOptional(),
  startedAt: z.string().exactOptional(),
  endedAt: z.string().exactOptional(),
  generation: z.number().exactOptional(),
  counts: z.record(z.string(), z.number()),
  files: z.array(z.looseObject({ name: z.string(), part: z.number(), rows: z.number(), bytes: z.number() })),
  warnings: z.array(problem).default([]),
  error: problem.exactOptional(),
  idempotencyKey: z.string().exactOptional(),
  attempt: z.number().exactOptional(),
  attempts: z
    .array(z.looseObject({ startedAt: z.string(), endedAt: z.string(), error: problem }))
    .exactOptional(),
});

/** The same of a run that has not ended: less of it is known. */
export const keptRequest = keptRecord.partial().required({ run: true, activation: true });
