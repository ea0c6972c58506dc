import {
  type ResolvableConfig,
  type ResolvedActivation,
  resolveActivation,
} from '../../../config/activation.ts';
import { SluiceError } from '../../../errors.ts';
import { placeOfPlan } from '../../../run/sliced/places/shared-plans.ts';
import { PlanFiles } from '../../../run/sliced/plan-files.ts';
import { type SlicedPlan, withOneReader } from '../../../run/sliced/sliced-plan.ts';
import { type CommandContext, openConfig } from '../../command-context.ts';
import { exitCodeOfError } from '../../exit-code.ts';
import { noteFailure } from '../../failure.ts';
import { watchSignals } from '../../interruption.ts';

/** What the three verbs share: they are programs of one run. */

export interface PlannedRun {
  readonly activation: ResolvedActivation;
  readonly files: PlanFiles;
  readonly plan: SlicedPlan;
}

/** An activation as the verbs make it: each of them reads with one reader. */
export function slicedActivation(config: ResolvableConfig, name: string): ResolvedActivation {
  return withOneReader(resolveActivation(config, name));
}

/** The run of a plan that `begin` has written. */
export async function openPlan(name: string, context: CommandContext): Promise<PlannedRun> {
  const { config } = await openConfig(context);
  const files = new PlanFiles(await placeOfPlan(name, config));
  const plan = await files.readPlan();
  return { activation: slicedActivation(config, plan.activation), files, plan };
}

/** Returns the exit code. Never rejects. */
export async function untilInterrupted(
  name: string,
  { terminal, verbose }: CommandContext,
  act: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interruption = watchSignals(terminal);
  const { signal } = interruption;
  try {
    return await act(signal);
  } catch (cause) {
    const error = signal.aborted ? new SluiceError('CANCELLED', 'it was cancelled', { cause }) : cause;
    noteFailure(terminal, error, { on: name, verbose });
    return exitCodeOfError(error);
  } finally {
    interruption.release();
  }
}

export function slicesText({ slices: { length }, reason }: SlicedPlan): string {
  return length === 1 ? `one slice, number 0: ${reason}` : `${length} slices, 0 to ${length - 1}`;
}
