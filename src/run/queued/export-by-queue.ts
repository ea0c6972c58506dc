import { SYSTEM_CLOCK } from '../../clock.ts';
import type { ResolvableConfig, ResolvedActivation } from '../../config/activation.ts';
import { failed, sliced } from '../../history/record-steps.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { concealed } from '../concealed.ts';
import type { ExportRequest, ExportResult } from '../export-request.ts';
import { toSluiceError } from '../run-failure.ts';
import { beginRun } from '../sliced/begin-run.ts';
import { collectPlans } from '../sliced/collect-plans.ts';
import { finaliseRun } from '../sliced/finalise-run.ts';
import { FinishedSlices } from '../sliced/finished-slices.ts';
import { plansOf } from '../sliced/places/shared-plans.ts';
import { PlanFiles } from '../sliced/plan-files.ts';
import { withOneReader } from '../sliced/sliced-plan.ts';
import { readByWorkers } from './read-by-workers.ts';

export interface QueuedRequest extends Pick<ExportRequest, 'signal' | 'observe'> {
  /** With `queue` and `state`. */
  readonly config: ResolvableConfig;
  readonly activation: ResolvedActivation;
  readonly record: RunRecord;
  /**
   * Whether the run is not wanted any more, where the signal aborts. Workers go on with
   * one that a later attempt continues.
   */
  readonly isCancelled: () => boolean;
}

/**
 * Makes a run by workers of the queue: begins it, puts its slices into the queue, waits
 * for them, and finalises it. Never rejects for what the world can cause. Making it again
 * goes on where it was: the plan is the run's own, and slices that were read stay so.
 */
export async function exportByQueue(request: QueuedRequest): Promise<ExportResult> {
  const { config, signal, observe } = request;
  const activation = withOneReader(request.activation);
  let record: RunRecord = { ...request.record, state: 'reading' };
  try {
    const plans = await plansOf(config);
    const files = new PlanFiles(plans.placeOf(record.run));
    const wanted = request.activation.parallel > 1 ? request.activation.parallel : undefined;
    const plan = await beginRun({ activation, files, wanted, record, signal });
    record = sliced(record, new FinishedSlices(plan, files, []).readingOf(activation));
    if ((await files.readDecision()) === undefined) await readByWorkers({ ...request, files, plan });
    const told = observe && { observe };
    const result = await finaliseRun({ activation, files, plan, record: request.record, signal, ...told });
    // Without the rights for it they stay.
    await collectPlans(plans, SYSTEM_CLOCK.now()).catch(() => {});
    return result;
  } catch (cause) {
    const error = concealed(toSluiceError(cause, signal.aborted), activation);
    return { record: failed(record, error, SYSTEM_CLOCK.now().toISOString()), error, recovered: [] };
  }
}
