import { join } from 'node:path';
import { openDestination } from '../../../assemble.ts';
import type { ResolvableConfig } from '../../../config/activation.ts';
import { PLAN_NAME, PLANS_FOLDER, STATE_PLAN } from '../../../config/plan-name.ts';
import { type ResolvedState, resolveState } from '../../../config/resolve-state.ts';
import { SluiceError } from '../../../errors.ts';
import { FolderPlace } from './folder-place.ts';
import { PlanBlobs } from './plan-blobs.ts';
import { PlanFolder } from './plan-folder.ts';
import type { PlanCollection, PlanPlace } from './plan-place.ts';

/** Whether a plan, as a command is given it, is one of `state`. */
export function isInState(plan: string): boolean {
  return plan.startsWith(STATE_PLAN);
}

/** `plan` as a command is given it: the path of a file, or `state:NAME`. */
export async function placeOfPlan(plan: string, config: ResolvableConfig): Promise<PlanPlace> {
  if (!isInState(plan)) return new FolderPlace(plan);
  const name = plan.slice(STATE_PLAN.length);
  if (!PLAN_NAME.test(name)) {
    const message = `${JSON.stringify(plan)} cannot be the name of a plan: it begins with a letter or digit, and has at most 200 letters, digits and . _ - : + = @ ~`;
    throw new SluiceError('USAGE', message, { hint: 'such as state:orders-2025-04-14' });
  }
  return (await plansOf(config)).placeOf(name);
}

/** Rejects with USAGE where the configuration has no `state`. */
export async function plansOf(config: ResolvableConfig): Promise<PlanCollection> {
  const state = resolveState(config);
  if (state !== undefined) return openPlans(state);
  throw new SluiceError('USAGE', 'plans are named state:NAME where the configuration has `state`', {
    hint: 'add `state: { destination: NAME }` at its top; or name a file',
  });
}

async function openPlans(state: ResolvedState): Promise<PlanCollection> {
  if (state.destination === undefined) return new PlanFolder(join(state.path, PLANS_FOLDER));
  const { destination, prefix, encryptionScope } = state;
  const store = await openDestination(destination);
  return new PlanBlobs({ store, prefix: `${prefix}${PLANS_FOLDER}`, encryptionScope });
}
