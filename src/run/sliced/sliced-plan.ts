import { createHash } from 'node:crypto';
import * as z from 'zod';
import { targetOf } from '../../assemble.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type { DeepReadonly } from '../../config/deep-freeze.ts';
import { ERROR_KINDS, type ErrorCode, SluiceError } from '../../errors.ts';
import { newRecord } from '../../history/new-record.ts';
import type { RunRecord } from '../../history/run-record.ts';
import type { Column } from '../../row-batch.ts';
import { MAX_BLOCK_BYTES, MAX_BLOCKS_PER_FILE } from '../../sinks/roll-policy.ts';
import type { SourceDescription } from '../../sources/source.ts';

/**
 * The documents of a run whose verbs (`begin`, `slice`, `finalise`) are called apart,
 * perhaps on several machines. They hold no secret; bounds of slices are values of keys.
 */

const names = z.array(z.string());
const checksums = z.strictObject({
  crc64: z.string().exactOptional(),
  sha256: z.string().exactOptional(),
  md5: z.string().exactOptional(),
});

const description = z.strictObject({
  // As the source made them; who reads them compares them with those of the source.
  columns: z.array(z.custom<Column>(value => typeof value === 'object' && value !== null)),
  dialect: z.string(),
  primaryKey: names.exactOptional(),
});

/** What `begin` writes: all that the other verbs go by. */
export const slicedPlan = z.strictObject({
  version: z.literal(1),
  run: z.string().regex(/^[\w-]+$/),
  activation: z.string(),
  /** The instant that names are made of. */
  startedAt: z.iso.datetime(),
  /** A digest of the settings that files depend on. */
  configuration: z.string(),
  description,
  /** The generation that the run is taken against, where the destination tells it. */
  previousGeneration: z.int().min(0).exactOptional(),
  /** What was there under the first names: the run replaces that and nothing else. */
  found: z.array(z.strictObject({ name: z.string(), etag: z.string().exactOptional() })),
  slices: z
    .array(
      z.strictObject({
        key: names.exactOptional(),
        from: names.exactOptional(),
        to: names.exactOptional(),
      }),
    )
    .min(1),
  /** Bytes that a slice has at the source, about. */
  sliceBytes: z.int().min(0).exactOptional(),
  /** Bytes of a block, where the usual ones may be too many for one file. */
  blockBytes: z.int().min(1).max(MAX_BLOCK_BYTES).exactOptional(),
  /** Why there is one slice. */
  reason: z.string().exactOptional(),
});
export type SlicedPlan = DeepReadonly<z.output<typeof slicedPlan>>;

/** What `slice` leaves behind: rows that are staged. */
export const sliceResult = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  slice: z.int().min(0),
  attempt: z.int().min(1),
  /** Who has read it, where a queue gave it to somebody. */
  worker: z.string().exactOptional(),
  snapshotTime: z.iso.datetime(),
  rows: z.int().min(0),
  files: z.array(
    z.strictObject({
      name: z.string(),
      part: z.int().min(1),
      blockIds: names,
      rows: z.int().min(0),
      bytes: z.int().min(0),
      checksums,
      /** Where the file has an end that speaks of them. */
      rowGroups: z
        .array(
          z.strictObject({
            rowCount: z.int().min(0),
            bytes: z.int().min(0),
            offset: z.int().min(0),
            metadata: z.base64(),
          }),
        )
        .exactOptional(),
    }),
  ),
  /** Values that were written as something else, by the name of their column. */
  coerced: z.array(z.tuple([z.string(), z.int().min(1)])),
  /** The storage service takes no CRC64 of a block. */
  refusesCrc64: z.boolean(),
});
export type SliceResult = DeepReadonly<z.output<typeof sliceResult>>;

/** Which slice writes a part, where several write parts of one file. */
export const partOwner = z.strictObject({
  run: z.string(),
  slice: z.int().min(0),
  /** Tells claims of one slice apart. */
  claim: z.string(),
});
export type PartOwner = z.output<typeof partOwner>;

/** Why the last attempt of a slice failed. */
export const sliceFailure = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  slice: z.int().min(0),
  error: z.strictObject({
    code: z.custom<ErrorCode>(code => Object.hasOwn(ERROR_KINDS, String(code))),
    message: z.string(),
    hint: z.string(),
    retryable: z.boolean(),
  }),
});
export type SliceFailure = z.output<typeof sliceFailure>;

/** Settings that say which bytes a run writes, and where. */
export function configurationOf({
  model,
  where,
  source,
  destination,
  mapping,
  format,
  fileName,
  timestampOffsetMs,
  runType,
  syncMode,
  ifExists,
  onEmpty,
  maxFileBytes,
  maxFileRows,
  blockBytes,
  consistency,
}: ResolvedActivation): string {
  const settings = [
    [model, where, source.name, destination.name, destination.folder, mapping, format, fileName],
    [timestampOffsetMs, runType, syncMode, ifExists, onEmpty, maxFileBytes, maxFileRows, blockBytes],
    [consistency, targetOf(destination)],
  ];
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16);
}

/**
 * Whether each slice writes parts of its own, which are whole documents, and not rows of
 * one file that is joined: what a part is to hold at most is known only to who writes it.
 */
export function writesParts({
  maxFileBytes,
  maxFileRows,
}: Pick<ResolvedActivation, 'maxFileBytes' | 'maxFileRows'>): boolean {
  return maxFileBytes !== undefined || maxFileRows !== undefined;
}

/** Bytes of all files of a slice, as stored. */
export function stagedBytes({ files }: Pick<SliceResult, 'files'>): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** An activation as its slices are read: each by one reader. */
export function withOneReader(activation: ResolvedActivation): ResolvedActivation {
  return { ...activation, parallel: 1 };
}

/** How many blocks of the file each slice may stage. */
export function blocksOfSlice(slices: number): number {
  return Math.max(1, Math.floor(MAX_BLOCKS_PER_FILE / slices));
}

/** The run of a plan, at its beginning. */
export function recordOf(plan: SlicedPlan, activation: ResolvedActivation): RunRecord {
  const { run, startedAt } = plan;
  return { ...newRecord(activation, { trigger: 'command', instant: new Date(startedAt) }), run };
}

/** What is known of the source since `begin`. */
export function describedBy({ description: known, startedAt }: SlicedPlan): SourceDescription {
  const { primaryKey, ...described } = known;
  return { ...described, snapshotTime: new Date(startedAt), ...(primaryKey && { primaryKey }) };
}

/** Rejects where the plan was made of another configuration. */
export function checkConfiguration(plan: SlicedPlan, activation: ResolvedActivation): void {
  if (plan.configuration === configurationOf(activation)) return;
  const message = `run ${plan.run} was begun with other settings of ${plan.activation} than it has now`;
  throw new SluiceError('STATE_STALE', message, { stage: 'run', hint: BEGIN_AGAIN });
}

export const BEGIN_AGAIN = 'begin again: `sluice begin NAME --out PLAN`, with another PLAN';
