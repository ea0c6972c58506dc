import type { ResolvableConfig } from '../../../config/activation.ts';
import { EXIT } from '../../../errors.ts';
import { beginRun } from '../../../run/sliced/begin-run.ts';
import { collectPlans } from '../../../run/sliced/collect-plans.ts';
import { isInState, placeOfPlan, plansOf } from '../../../run/sliced/places/shared-plans.ts';
import { PlanFiles } from '../../../run/sliced/plan-files.ts';
import { type CommandContext, openConfig } from '../../command-context.ts';
import { slicedActivation, slicesText, untilInterrupted } from './planned-run.ts';

export interface BeginOptions {
  /** The plan: a file, or `state:NAME`. */
  readonly out: string;
  readonly slices?: number;
  readonly json?: boolean;
}

/** `sluice begin`: the plan of a run that others read slice by slice. */
export async function begin(
  name: string,
  { out, slices: wanted, json }: BeginOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { config } = await openConfig(context);
  const activation = slicedActivation(config, name);
  const files = new PlanFiles(await placeOfPlan(out, config));
  return untilInterrupted(name, context, async signal => {
    const plan = await beginRun({ activation, files, wanted, signal });
    const { run, slices, reason } = plan;
    if (json) terminal.printJson({ run, activation: name, slices: slices.length, ...(reason && { reason }) });
    else if (!terminal.isQuiet) terminal.print(`${name}: run ${run} has ${slicesText(plan)}`);
    if (isInState(out)) await removeOldPlans(config, context);
    return EXIT.done;
  });
}

/** That it cannot be done keeps nobody from the run. */
async function removeOldPlans(config: ResolvableConfig, { terminal }: CommandContext): Promise<void> {
  try {
    await collectPlans(await plansOf(config), new Date());
  } catch (error) {
    terminal.note(`old plans stay in state: ${(error as Error).message}`);
  }
}
