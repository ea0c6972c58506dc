import type { OwnParts } from '../assemble.ts';
import type { Clock } from '../clock.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { ProtocolParts } from '../publish/protocol.ts';
import type { RunProgress } from './run-progress.ts';
import type { FinishedSlices } from './sliced/finished-slices.ts';

export interface ExportRequest {
  readonly activation: ResolvedActivation;
  readonly trigger: RunRecord['trigger'];
  /** Every row and a new baseline, whatever the state. */
  readonly full?: boolean;
  /** Publish even where a safety gate would hold the run. */
  readonly allowRemovals?: boolean;
  /** Values of the query's parameters, by name, as they were asked for. */
  readonly params?: Readonly<Record<string, string>>;
  /**
   * Goes as far as the decision and publishes nothing: the record is that of a run which
   * would be made now, with a sample of its changes. Nothing is written or kept, and of
   * the baseline a copy is read.
   */
  readonly plans?: boolean;
  /** Takes secrets out of the values of sampled rows. */
  readonly clean?: (text: string) => string;
  /**
   * Aborting before the run is decided drops it; afterwards it is finished all the same.
   */
  readonly signal: AbortSignal;
  /** Stand in for those that the activation names. */
  readonly parts?: OwnParts;
  readonly clock?: Clock;
  /**
   * The run as whoever keeps it knows it: its id, its start and its attempt stay. Making
   * it is idempotent then: a run that has succeeded before is not made again, its record
   * is the result. Only success is recorded; another attempt may follow any other end, so
   * to record that is the caller's.
   */
  readonly record?: RunRecord;
  /** Take the place of the source: all rows have been read and staged. */
  readonly slices?: FinishedSlices;
  /** Is given a function that tells the progress at any moment. */
  readonly observe?: (progress: () => RunProgress) => void;
  /** Wraps what the protocol speaks to, for fault injection and instrumentation. */
  readonly intercept?: (parts: ProtocolParts) => ProtocolParts;
}

export interface ExportResult {
  readonly record: RunRecord;
  /** What made the run fail, with its causes. */
  readonly error?: unknown;
  /** Earlier runs that had been decided and were finished first. */
  readonly recovered: readonly RunRecord[];
  /**
   * How far the clock of the destination is ahead of ours, as its answers said; absent
   * where none came.
   */
  readonly clockAheadMs?: number;
}
