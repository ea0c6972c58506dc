import * as z from 'zod';
import type { RunRecord, RunWarning } from '../../history/run-record.ts';

/**
 * Codes of warnings of an activation: those of its runs, and those that only who watches
 * it can raise.
 */
export type ActivationWarningCode =
  | RunWarning['code']
  | 'RUN_FAILED'
  | 'RUN_UNFINISHED'
  | 'NO_SUCCESS'
  | 'PAUSED';

/**
 * `error`: the export does not work; `warning`: it does, and somebody should look;
 * `info`: good to know.
 */
export type Severity = 'error' | 'warning' | 'info';

/** What a receiver may want to be told of; see `on` of `notify`. */
export type Topic = 'succeeded' | 'failed' | 'held' | 'warnings';

/**
 * One change of state of one warning, or one success, as it is told. Its shape is what
 * webhooks receive.
 */
export interface Notification {
  /** The same however often it is sent, so that who receives it can tell a repetition. */
  readonly id: string;
  readonly event: 'raised' | 'recovered' | 'succeeded';
  readonly code: ActivationWarningCode | 'RUN_SUCCEEDED';
  readonly severity: Severity;
  readonly activation: string;
  /** The run that raised the warning, or that found it gone. */
  readonly run?: string;
  readonly message: string;
  /** When the warning was raised; ISO 8601, UTC. */
  readonly since: string;
  /** When the state changed; ISO 8601, UTC. */
  readonly at: string;
  /**
   * Keys of rows that a held run would have published; for receivers that want them
   * alone.
   */
  readonly samples?: SampledKeys;
  /** The run that has succeeded, and how many of its files the record leaves out. */
  readonly record?: RunRecord;
  readonly filesLeftOut?: number;
}

/** By change, as texts; at most a few. */
export interface SampledKeys {
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
}

const TOPICS: Readonly<Partial<Record<Notification['code'], Topic>>> = {
  RUN_SUCCEEDED: 'succeeded',
  RUN_FAILED: 'failed',
  HELD: 'held',
};

export function topicOf({ code }: Pick<Notification, 'code'>): Topic {
  return TOPICS[code] ?? 'warnings';
}

/** A notification as it is kept. Codes of other versions are delivered as well. */
export const notificationSchema = z.strictObject({
  id: z.string(),
  event: z.enum(['raised', 'recovered', 'succeeded']),
  code: z.custom<Notification['code']>(value => typeof value === 'string', 'expected a code'),
  severity: z.enum(['error', 'warning', 'info']),
  activation: z.string(),
  run: z.string().exactOptional(),
  message: z.string(),
  since: z.iso.datetime(),
  at: z.iso.datetime(),
  samples: z
    .strictObject({
      added: z.array(z.string()).readonly(),
      updated: z.array(z.string()).readonly(),
      removed: z.array(z.string()).readonly(),
    })
    .exactOptional(),
  record: z.custom<RunRecord>(value => typeof value === 'object' && value !== null).exactOptional(),
  filesLeftOut: z.int().exactOptional(),
}) satisfies z.ZodType<Notification>;
