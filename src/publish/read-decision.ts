import * as z from 'zod';
import { describeMisfit } from '../config/tree/describe-misfit.ts';
import { SluiceError } from '../errors.ts';
import type { Decision } from './decision.ts';
import type { Journal } from './journal.ts';

/**
 * What is acted on of a decision. Its checksum shows that it was written so; this, that
 * this version can act on it.
 */
export const keptDecision = z.looseObject({
  version: z.literal(1),
  target: z.string(),
  record: z.looseObject({ run: z.string(), files: z.array(z.unknown()), warnings: z.array(z.unknown()) }),
  files: z.array(
    z.looseObject({
      name: z.string(),
      blockIds: z.array(z.string()),
      bytes: z.number(),
      condition: z.union([
        z.looseObject({ ifAbsent: z.literal(true) }),
        z.looseObject({ ifMatch: z.string() }),
      ]),
      properties: z.looseObject({}),
    }),
  ),
  completion: z
    .looseObject({
      standing: z.array(z.looseObject({ name: z.string(), etag: z.string() })),
      files: z.array(
        z.looseObject({
          name: z.string(),
          content: z.string(),
          metadata: z.looseObject({ run: z.string() }),
        }),
      ),
    })
    .exactOptional(),
  baseline: z.looseObject({ set: z.string().exactOptional() }).optional(),
  stale: z.array(z.looseObject({ name: z.string(), etag: z.string(), series: z.string() })),
});

/**
 * The decision of a run; `undefined` where there is none. Rejects with STATE_DAMAGED or
 * STATE_STALE.
 */
export async function readDecision(journal: Journal, run: string): Promise<Decision | undefined> {
  const content = await journal.read(run, 'commit.json');
  if (content === undefined) return undefined;
  const { version } = (content ?? {}) as { readonly version?: unknown };
  if (typeof version === 'number' && version !== 1) throw unknownVersion(run, version);
  const { error } = keptDecision.safeParse(content);
  if (error === undefined) return content as Decision;
  const path = journal.path(run, 'commit.json');
  throw new SluiceError('STATE_DAMAGED', `${path} is not a decision of a run: ${describeMisfit(error)}`, {
    stage: 'state',
    hint: 'put the file back; or `sluice state reset NAME --abandon` gives the run up',
  });
}

function unknownVersion(run: string, version: number): SluiceError {
  const message = `run ${run} was decided by another version of Sluice, whose decisions have version ${version}`;
  return new SluiceError('STATE_STALE', message, {
    stage: 'state',
    hint: 'let that version of Sluice finish the run',
  });
}
