import type { Baseline } from '../../baseline/baseline.ts';
import { DeltaLogWriter } from '../../baseline/delta-log.ts';
import { Spill } from '../../baseline/spill.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type { BaselinePlan } from '../../publish/baseline-plan.ts';
import type { Journal } from '../../publish/journal.ts';
import { DELTA_LOG } from '../../publish/roll-forward.ts';
import type { ChangeSampler } from '../../transforms/change-sampler.ts';
import { HashDiff } from '../../transforms/hash-diff.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import type { RestOfRows } from '../../transforms/rest-of-rows.ts';

/**
 * Compares rows with the baseline. Whoever opens it closes the log and removes the spill.
 */
export interface Comparison {
  readonly diff: HashDiff;
  readonly deltaLog: DeltaLogWriter;
  readonly spill: Spill;
}

export interface ComparisonOptions {
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly journal: Pick<Journal, 'path'>;
  readonly baseline: Baseline;
  readonly mapping: MappingPlan;
  readonly plan: BaselinePlan;
  /** Where only rows come that may have changed. */
  readonly rest?: RestOfRows | undefined;
  readonly sampler?: ChangeSampler | undefined;
  /** Nobody will bring the baseline forward. */
  readonly plans: boolean;
}

export async function openComparison(options: ComparisonOptions): Promise<Comparison> {
  const { activation, run, journal, baseline, mapping, plan, rest, sampler, plans } = options;
  const { syncMode, onNullKey, onDuplicateKey, stateMemoryBytes } = activation;
  const { full, compares, retained, removedPlaces, hashing } = plan;
  const deltaLog = plans
    ? DeltaLogWriter.discarding()
    : await DeltaLogWriter.create(journal.path(run, DELTA_LOG), { keepsValues: retained !== 'nothing' });
  const spill = new Spill(journal.path(run, 'spill'));
  const diff = new HashDiff({
    baseline: compares ? baseline : undefined,
    deltaLog,
    spill,
    hashing,
    rest,
    keyFields: mapping.keyFields,
    keyNames: mapping.keyFields.map(place => mapping.fields[place]!.source),
    fieldCount: mapping.fields.length,
    retained,
    keysOnly: syncMode === 'insert',
    everyRow: full,
    sendsRemoved: syncMode === 'difference' && removedPlaces !== undefined,
    removedPlaces,
    sampler,
    partitionFields: mapping.partitionFields,
    onNullKey,
    onDuplicateKey,
    stateMemoryBytes,
  });
  return { diff, deltaLog, spill };
}
