import * as z from 'zod';
import { ERROR_CATEGORIES, type ErrorCode } from '../../../errors.ts';
import type { RunError } from '../../../history/run-record.ts';
import { component, openEnum, type SameShape } from './component.ts';

const STAGES = [
  'configuration',
  'source',
  'mapping',
  'diff',
  'encoding',
  'destination',
  'state',
  'run',
] as const;

export const errorSchema = component(
  'Error',
  z
    .object({
      code: openEnum<ErrorCode>().describe('Stable name of the failure; programs match on it.'),
      category: z.enum(ERROR_CATEGORIES).describe('The class that an operator sorts failures by.'),
      stage: z.enum(STAGES).exactOptional().describe('Where in a run the failure arose.'),
      message: z.string().describe('What failed, on which thing, and what was seen. Holds no secret.'),
      hint: z.string().describe('What to do.'),
      retryable: z.boolean().describe('Whether the same request may succeed later.'),
    })
    .describe('A failure.')
    .meta({
      examples: [
        {
          code: 'NAME_UNKNOWN',
          category: 'configuration',
          message: 'there is no activation "customer"; did you mean customers? there are: customers, orders',
          hint: 'use one of the listed names',
          retryable: false,
        },
      ],
    }),
);
true satisfies SameShape<typeof errorSchema, RunError>;

export const errorAnswer = component(
  'ErrorAnswer',
  z.object({ error: errorSchema }).describe('Every answer with a status of 400 or above.'),
);
export type ErrorAnswer = z.output<typeof errorAnswer>;
