import { SluiceError } from '../../errors.ts';
import { atOnce } from '../../sinks/at-once.ts';
import type { PlanCollection } from './places/plan-place.ts';
import { PlanFiles } from './plan-files.ts';

/** Blocks that nobody commits are gone after half of that. */
export const PLANS_KEPT_DAYS = 14;

/**
 * Removes plans that were begun too long ago for their run to be published, and what is
 * left of such. Plans that cannot be understood stay: nobody knows how old they are.
 */
export async function collectPlans(plans: PlanCollection, now: Date): Promise<void> {
  const until = now.getTime() - PLANS_KEPT_DAYS * 86_400_000;
  const listed = await plans.list();
  await atOnce([...listed], async ([name, documents]) => {
    const plan = await new PlanFiles(plans.placeOf(name)).findPlan().catch(misunderstood);
    const isOld = plan === undefined || (plan !== 'misunderstood' && Date.parse(plan.startedAt) < until);
    if (isOld) await plans.remove(name, documents);
  });
}

function misunderstood(error: unknown): 'misunderstood' {
  if (error instanceof SluiceError && error.code === 'STATE_DAMAGED') return 'misunderstood';
  throw error;
}
