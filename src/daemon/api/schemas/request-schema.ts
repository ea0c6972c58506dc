/** What requests carry: parameters of paths and queries, headers, bodies. */

import * as z from 'zod';
import { duration, NAME_PATTERN, writtenNumber } from '../../../config/schema/values.ts';
import { RUN_ID } from '../../../history/run-id.ts';
import { RUN_STATES } from '../../../history/run-state.ts';
import { MAX_WAIT_MS } from '../limits.ts';

const NAME = 'a name of up to 100 letters, digits, _ and -, that starts with a letter or digit';

export const activationName = z
  .string()
  .regex(NAME_PATTERN, { error: NAME })
  .describe('Name of an activation.')
  .meta({ examples: ['customers_to_lake'] });

export const runId = z
  .string()
  .regex(RUN_ID, { error: 'an id of a run such as 20250414-070000-123-k3f9ab' })
  .describe('Id of a run.')
  .meta({ examples: ['20250414-070000-123-k3f9ab'] });

interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

function integer({ min, max }: IntegerRange) {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A whole number in a query, where everything is text. */
export function queryInteger(range: IntegerRange) {
  return z.preprocess(
    value => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value),
    integer(range),
  );
}

/** Once or several times. */
export const queryStates = z
  .preprocess(
    value => (typeof value === 'string' ? [value] : value),
    z.array(z.enum(RUN_STATES, { error: `one of ${RUN_STATES.join(', ')}` })).max(RUN_STATES.length),
  )
  .describe('Only runs in these states; may be repeated.');

export const queryWait = duration({ max: MAX_WAIT_MS, bounds: 'at most 5m' })
  .describe('Waits so long for its end, at most `5m`; then answers it as it stands.')
  .meta({ examples: ['30s'] });

const parameters = z
  .record(
    z.string(),
    z.union([z.string(), writtenNumber(), z.boolean()], {
      error: 'text, true, false, or a number; one of more than 15 digits as text',
    }),
  )
  .transform(given => Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)])))
  .exactOptional()
  .describe('Values of the query’s parameters, by name. They are kept and shown.');

const flag = (about: string) => z.boolean({ error: 'true or false' }).exactOptional().describe(about);

export const triggerBody = z
  .strictObject({
    full: flag('Exports every row and makes a new baseline.'),
    allowRemovals: flag(
      'Lets the run remove more than `removedRowsOver`, and everything from an empty source.',
    ),
    params: parameters,
  })
  .meta({ examples: [{}, { full: true }, { allowRemovals: true }, { params: { day: '2025-04-14' } }] });

export const planBody = z
  .strictObject({
    full: flag('Plans a run with every row and a new baseline.'),
    params: parameters,
    rows: integer({ min: 0, max: 100 }).default(20).describe('Rows to show of each change, up to 100.'),
  })
  .meta({ examples: [{}, { rows: 100 }] });

export const planId = z
  .string()
  .regex(RUN_ID, { error: 'an id of a plan such as 20250414-070000-123-k3f9ab' })
  .describe('Id of a plan.')
  .meta({ examples: ['20250414-070000-123-k3f9ab'] });

export const pauseBody = z
  .strictObject({
    reason: z
      .string({ error: 'text' })
      .min(1, { error: 'text that is not empty' })
      .max(500, { error: 'text of at most 500 characters' })
      .exactOptional()
      .describe('Shown with the activation while it is paused.'),
  })
  .meta({ examples: [{ reason: 'the warehouse is being moved' }] });

export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, { error: 'up to 255 printable ASCII characters without spaces' })
  .exactOptional()
  .describe(
    'The same key for the same activation answers the run that it first made. Use one per export wanted. It is kept and shown: one that holds a secret is refused.',
  )
  .meta({ examples: ['airflow-customers-2025-04-14'] });
