import { EXIT } from '../../../errors.ts';
import { beginRun } from '../../../run/sliced/begin-run.ts';
import { PlanFiles } from '../../../run/sliced/plan-files.ts';
import type { CommandContext } from '../../command-context.ts';
import { activationOf, slicesText, untilInterrupted } from './planned-run.ts';

export interface BeginOptions {
  /** File of the plan. */
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
  const activation = await activationOf(name, context);
  return untilInterrupted(name, context, async signal => {
    const plan = await beginRun({ activation, files: new PlanFiles(out), wanted, signal });
    const { run, slices, reason } = plan;
    if (json) terminal.printJson({ run, activation: name, slices: slices.length, ...(reason && { reason }) });
    else if (!terminal.isQuiet) terminal.print(`${name}: run ${run} has ${slicesText(plan)}`);
    return EXIT.done;
  });
}
