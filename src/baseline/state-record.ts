import * as z from 'zod';
import { withChecksum, withoutChecksum } from '../disk/checksum.ts';

const natural = z.int().nonnegative();

/**
 * The record that says what a baseline is. Another version may have written it, so
 * further fields are let through.
 */
const stateRecord = z.looseObject({
  generation: natural,
  run: z.string(),
  count: natural,
  digest: z.looseObject({ low: z.int(), high: z.int() }),
  identity: z.string(),
  retained: z.enum(['nothing', 'key', 'row']),
  layout: z.looseObject({
    epoch: natural,
    chunks: natural,
    records: natural,
    distinctChunks: natural.exactOptional(),
  }),
  hashing: z
    .looseObject({
      function: z.string(),
      secret: z.string().regex(/^[0-9a-f]{32,}$/),
      former: z.looseObject({ seed: z.array(z.int()), count: natural }).exactOptional(),
    })
    .exactOptional(),
  seed: z.array(z.int()).exactOptional(),
  appended: z
    .array(
      z.looseObject({
        name: z.string(),
        partition: z.array(z.string().nullable()).exactOptional(),
        since: z.string(),
        generation: natural.exactOptional(),
        parts: natural,
        gone: z.array(natural),
      }),
    )
    .exactOptional(),
  position: z.looseObject({}).exactOptional(),
  changes: z
    .looseObject({
      mark: z.looseObject({
        horizon: z.string(),
        next: z.string(),
        conditions: z.record(z.string(), z.string()),
      }),
      comparedAt: z.string(),
      runsSince: natural,
    })
    .exactOptional(),
  distrusted: z.string().exactOptional(),
});

/**
 * With its checksum: a wrong byte in the secret would change every hash without a word.
 */
export function stateRecordBytes(record: object): Buffer {
  return Buffer.from(JSON.stringify(withChecksum(record)));
}

/**
 * `undefined` where the bytes are not such a record, or not as they were written.
 */
export function parseStateRecord(bytes: Buffer): z.output<typeof stateRecord> | undefined {
  try {
    return stateRecord.safeParse(withoutChecksum(JSON.parse(bytes.toString('utf8')))).data;
  } catch {
    return undefined;
  }
}
