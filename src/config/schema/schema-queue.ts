import * as z from 'zod';
import { secret } from './secret-schema.ts';

/** Runs of `sluice serve` are read by `sluice worker`, on any number of hosts. */
export const queue = z
  .strictObject({
    url: secret({
      expected: 'a URL that starts with postgres:// or postgresql://',
      check: value => /^postgres(?:ql)?:\/\//i.test(value) && URL.canParse(value),
    }).describe(
      'Connection URL of the PostgreSQL that holds the queue; it need not be a source. Its role owns the schema `sluice_queue`, see docs/guide/workers.md. Secret.',
    ),
    slicesPerSource: z
      .int()
      .min(1)
      .max(10_000)
      .default(8)
      .describe('Slices of one source that all workers together read at once.'),
  })
  .describe(
    'Who reads: with it `sluice serve` makes runs by `sluice worker` on any number of hosts. Needs `state`, the package pg-boss, and activations of `full_only`.',
  );

export type QueueConfig = z.output<typeof queue>;
