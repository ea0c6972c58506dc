import type { OwnParts } from '../../assemble.ts';
import type { Clock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type {
  ChangeDetection,
  HeldReason,
  ParameterValues,
  RunCounts,
  RunFile,
  RunRecord,
  RunWarning,
  WarningCode,
} from '../../history/run-record.ts';
import type { ChangeSample } from '../../transforms/change-sampler.ts';
import { exportRun } from '../export-run.ts';
import { Held } from '../held.ts';
import type { RunProgress } from '../run-progress.ts';

export interface PlanRequest {
  readonly activation: ResolvedActivation;
  /** As for a run. */
  readonly full?: boolean;
  readonly params?: Readonly<Record<string, string>>;
  /** Rows to show of each change, at most `MAX_SAMPLED_ROWS`. */
  readonly rows: number;
  readonly signal: AbortSignal;
  readonly parts?: OwnParts;
  readonly clock?: Clock;
  readonly observe?: (progress: () => RunProgress) => void;
  /** Takes secrets out of values. */
  readonly clean?: (text: string) => string;
}

/** What a run now would publish. */
export interface Plan extends Pick<RunRecord, 'activation' | 'runType' | 'syncMode' | 'full'> {
  /** Whether it would publish rows, publish none, or be held. */
  readonly outcome: 'changes' | 'nothing' | 'held';
  /** Why it would be full, or a delta. */
  readonly why: string;
  /** The generation that it is taken against; 0 is none. */
  readonly previousGeneration: number;
  readonly snapshotTime?: string;
  readonly changeDetection?: ChangeDetection;
  readonly counts: RunCounts;
  readonly files: readonly PlannedFile[];
  /**
   * Whether bytes, and with them parts, are estimates: compression may come out
   * otherwise.
   */
  readonly estimated: boolean;
  /** Names of completion files that would follow. */
  readonly completion?: readonly string[];
  readonly warnings: readonly RunWarning[];
  /** Values of the query's parameters. */
  readonly params?: ParameterValues;
  /** What would hold it. */
  readonly held?: PlannedHold;
  readonly sample: ChangeSample;
}

export interface PlannedHold {
  readonly reason: HeldReason;
  readonly message: string;
  /** What would release it. */
  readonly release: string;
}

export type PlannedFile = Pick<RunFile, 'name' | 'change' | 'part' | 'rows' | 'bytes'>;

const NO_SAMPLE: ChangeSample = { added: [], updated: [], removed: [], gaps: [] };

/**
 * Goes through a run up to its decision. Nothing is written, and the baseline is only
 * read. Rejects with what such a run would fail with.
 */
export async function planActivation(request: PlanRequest): Promise<Plan> {
  const { rows, ...asked } = request;
  const { record, error } = await exportRun({ ...asked, trigger: 'command', plans: true });
  if (error !== undefined && !(error instanceof Held)) throw error;
  const { activation, runType, syncMode, full, previousGeneration, snapshotTime, changeDetection } = record;
  const { counts, files, completion, warnings, params, sample } = record;
  return {
    activation,
    runType,
    syncMode,
    full,
    outcome: error ? 'held' : counts.written > 0 ? 'changes' : 'nothing',
    why: whyOf(record, request, error),
    previousGeneration,
    ...(snapshotTime !== undefined && { snapshotTime }),
    ...(changeDetection && { changeDetection }),
    counts,
    files: files.map(({ name, change, part, rows, bytes }) => ({
      name,
      ...(change && { change }),
      part,
      rows,
      bytes,
    })),
    estimated: isCompressed(request.activation),
    ...(completion && { completion }),
    ...(params && { params }),
    warnings: warnings.filter(({ code }) => code !== 'HELD'),
    ...(error && { held: { reason: error.reason, message: error.message, release: error.hint } }),
    sample: cut(sample ?? NO_SAMPLE, rows),
  };
}

/** Warnings that say why a run is a full one. */
const REASONS: readonly WarningCode[] = [
  'COLUMNS_CHANGED',
  'STATE_LOST',
  'STATE_STALE',
  'SOURCE_MOVED',
  'DESTINATION_RESET',
];

function whyOf(record: RunRecord, { full: asked }: PlanRequest, held: Held | undefined): string {
  const { runType, full, previousGeneration, warnings, changeDetection } = record;
  // Nothing was read then.
  if (held?.reason === 'STATE_LOST' || held?.reason === 'SOURCE_MOVED') return held.message;
  if (warnings.some(({ code }) => code === 'EXISTS_SKIPPED')) return 'its files exist, and ifExists is skip';
  if (runType === 'full_only') return 'runType is full_only';
  if (!full) return `changes since generation ${previousGeneration}`;
  if (asked) return 'a full run was asked for';
  const told = warnings.find(({ code }) => REASONS.includes(code))?.message;
  return told ?? changeDetection?.reason ?? 'there is no baseline yet';
}

function isCompressed({ format }: ResolvedActivation): boolean {
  return 'compression' in format && format.compression !== 'none';
}

function cut({ added, updated, removed, gaps }: ChangeSample, rows: number): ChangeSample {
  return {
    added: added.slice(0, rows),
    updated: updated.slice(0, rows),
    removed: removed.slice(0, rows),
    gaps,
  };
}
