import * as z from 'zod';
import { text } from './values.ts';

const WAYS = [['destination'], ['folder', 'shared']];

/** What all machines share that work on one run. */
export const state = z
  .strictObject({
    destination: text()
      .exactOptional()
      .describe(
        'Name of the destination that holds it; or `folder` with `shared: true`. Its credentials need read, write and create; with list and delete old plans are removed.',
      ),
    folder: text()
      .exactOptional()
      .describe(
        'With `destination` a prefix below its folder, `state/` unless it is set; without, a folder that every machine has mounted.',
      ),
    shared: z
      .literal(true)
      .exactOptional()
      .describe('The folder is one that every machine sees: that is said, since nobody can look.'),
  })
  .meta({
    description:
      'What machines share that work on one run, such as plans of `sluice begin`: blobs, or a shared folder.',
    oneOf: WAYS.map(keys => ({
      properties: Object.fromEntries(keys.map(key => [key, {}])),
      required: keys,
    })),
  });

export type StateConfig = z.output<typeof state>;
