import type { ResolvableConfig, ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import { plansOf } from '../sliced/places/shared-plans.ts';
import { PlanFiles } from '../sliced/plan-files.ts';
import { readSlice } from '../sliced/read-slice.ts';
import { stagedBytes, withOneReader } from '../sliced/sliced-plan.ts';

export interface QueuedSliceRequest {
  /** With `state`. */
  readonly config: ResolvableConfig;
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly slice: number;
  readonly worker: string;
  readonly signal: AbortSignal;
}

/** Reads a slice that a worker was given. */
export async function readQueuedSlice(
  request: QueuedSliceRequest,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const { config, run, slice, ...asked } = request;
  const activation = withOneReader(request.activation);
  const files = new PlanFiles((await plansOf(config)).placeOf(run));
  const plan = await files.readPlan();
  const result = await readSlice({ ...asked, activation, files, plan, slice });
  if (result === undefined) throw new SluiceError('STATE_STALE', `run ${run} has no slice ${slice}`);
  return { rows: result.rows, bytes: stagedBytes(result) };
}
