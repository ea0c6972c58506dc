import type { SluiceError } from '../errors.ts';
import type { ChangeSample } from '../transforms/change-sampler.ts';
import { toRunError } from './new-record.ts';
import type {
  ChangeDetection,
  HeldReason,
  Readers,
  RunCounts,
  RunRecord,
  RunWarning,
  SlicedReading,
} from './run-record.ts';

/**
 * How the record of a run changes on its way, in this order. Whoever makes the run keeps
 * its record and replaces it by what these return. Warnings are only ever added.
 */

/** It is known what the run is taken against and what it makes. */
export function planned(
  record: RunRecord,
  plan: Pick<RunRecord, 'full' | 'generation' | 'previousGeneration' | 'warnings'> & {
    readonly snapshotTime: string;
  },
  readers?: Readers,
): RunRecord {
  const { full, generation, previousGeneration, snapshotTime } = plan;
  const known = { full, generation, previousGeneration, snapshotTime, ...(readers && { readers }) };
  return { ...warned(record, plan.warnings), ...known };
}

/** Its rows are read in slices. */
export function sliced(record: RunRecord, slices: SlicedReading): RunRecord {
  return { ...record, slices };
}

/** Nothing was written, since the run's files are there already. */
export function skipped(record: RunRecord, warning: RunWarning): RunRecord {
  const counts = { ...record.counts, written: 0, bytes: 0 };
  return { ...record, generation: 0, previousGeneration: 0, counts, warnings: [warning] };
}

/** All rows were read, and their files are staged. */
export function counted(record: RunRecord, counts: RunCounts, changeDetection?: ChangeDetection): RunRecord {
  return { ...record, counts, ...(changeDetection && { changeDetection }) };
}

/** The values that the query of this run is given. */
export function parameterized(record: RunRecord, params: RunRecord['params']): RunRecord {
  return params === undefined ? record : { ...record, params };
}

/** Rows by which a person judges a run that publishes nothing. */
export function sampled(record: RunRecord, sample: ChangeSample | undefined): RunRecord {
  return sample === undefined ? record : { ...record, sample };
}

export function warned(record: RunRecord, warnings: readonly RunWarning[]): RunRecord {
  return { ...record, warnings: [...record.warnings, ...warnings] };
}

/** From here on the run is only rolled forward. */
export function decided(record: RunRecord): RunRecord {
  return { ...record, state: 'publishing' };
}

/** The run has done what it was to do. */
export function succeeded(record: RunRecord, endedAt: string): RunRecord {
  return { ...record, state: 'succeeded', endedAt };
}

/** The run published nothing, or is decided and could not be finished. */
export function failed(record: RunRecord, error: SluiceError, endedAt: string): RunRecord {
  const state = error.code === 'CANCELLED' ? 'cancelled' : 'failed';
  return { ...unpublished(record), state, endedAt, error: toRunError(error) };
}

/** The run publishes nothing, and waits for a person. */
export function held(
  record: RunRecord,
  { reason, message, hint }: { readonly reason: HeldReason; readonly message: string; readonly hint: string },
  endedAt: string,
): RunRecord {
  const kept = warned(unpublished(record), [{ code: 'HELD', message }]);
  return { ...kept, state: 'held', endedAt, reason, release: hint };
}

function unpublished(record: RunRecord): RunRecord {
  if (record.state !== 'reading') return record;
  // Before the decision: what was staged is dropped, and the generation that the run was
  // to make is not made.
  return { ...record, generation: 0, counts: { ...record.counts, written: 0, bytes: 0 } };
}
