import type { ResolvedActivation } from '../../config/activation.ts';
import { type ExportRequest, type ExportResult, exportRun } from '../export-run.ts';
import { FinishedSlices, resultsOf } from './finished-slices.ts';
import type { PlanFiles } from './plan-files.ts';
import { checkConfiguration, recordOf, type SlicedPlan } from './sliced-plan.ts';

export interface FinaliseRequest extends Pick<ExportRequest, 'signal' | 'intercept' | 'observe' | 'record'> {
  readonly activation: ResolvedActivation;
  readonly files: PlanFiles;
  readonly plan: SlicedPlan;
}

/**
 * The third verb: a run whose rows have been read and staged by slices. Rejects where a
 * result is missing; else as `exportRun`. A run that has been published before, here or
 * by another machine, is the result.
 */
export async function finaliseRun(request: FinaliseRequest): Promise<ExportResult> {
  const { activation, files, plan, record = recordOf(plan, activation), ...asked } = request;
  checkConfiguration(plan, activation);
  const isDecided = (await files.readDecision()) !== undefined;
  const results = isDecided ? [] : await resultsOf(plan, files);
  const slices = new FinishedSlices(plan, files, results);
  return exportRun({ ...asked, activation, trigger: record.trigger, record, slices });
}
