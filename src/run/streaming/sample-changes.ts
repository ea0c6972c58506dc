import type { ResolvedActivation } from '../../config/activation.ts';
import type { RunCounts } from '../../history/run-record.ts';
import type { BaselinePlan } from '../../publish/baseline-plan.ts';
import { type ChangeSample, ChangeSampler } from '../../transforms/change-sampler.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import type { RowTransform } from '../../transforms/transform.ts';

export interface SampleOptions {
  readonly mapping: MappingPlan;
  readonly plan: Pick<BaselinePlan, 'known'>;
  /** Nobody runs; somebody looks. */
  readonly plans: boolean;
  readonly clean?: ((text: string) => string) | undefined;
}

/** `undefined` where nobody will want to see rows: no gate can hold the run. */
export function openSampler({ mapping, plan, plans, clean }: SampleOptions): ChangeSampler | undefined {
  if (!plans && plan.known === 0) return undefined;
  const { fields, written, keyFields } = mapping;
  return new ChangeSampler({ fields, writtenCount: written.length, keyFields, clean });
}

/** In the place of the diff, where nothing is compared. */
export function sampleAll(sampler: ChangeSampler): RowTransform {
  return async function* sample(batches) {
    for await (const batch of batches) {
      sampler.takeAll(batch);
      yield batch;
    }
  };
}

/** What was sampled, and what could not be. */
export function sampleOf(
  sampler: ChangeSampler,
  counts: RunCounts,
  { syncMode, removedRows }: Pick<ResolvedActivation, 'syncMode' | 'removedRows'>,
): ChangeSample {
  const { updated, removed } = sampler.sampleOf([]);
  const kept =
    syncMode === 'difference'
      ? `syncMode difference with removedRows: ${removedRows}`
      : `syncMode ${syncMode}`;
  const gaps: string[] = [];
  if (updated.some(({ differences }) => differences === undefined))
    gaps.push(
      `which columns of updated rows differ is not known: with ${kept} the baseline keeps no values of them`,
    );
  if (counts.removed > 0 && removed.length === 0)
    gaps.push(`which rows are removed is not known: with ${kept} the baseline keeps hashes of keys alone`);
  return sampler.sampleOf(gaps);
}
