import { finaliseRun } from '../../../run/sliced/finalise-run.ts';
import type { CommandContext } from '../../command-context.ts';
import { exitCodeOf } from '../../exit-code.ts';
import { reportRun } from '../../terminal/report-run.ts';
import { openPlan, untilInterrupted } from './planned-run.ts';

/** `sluice finalise`: publishes what the slices of a planned run have staged. */
export async function finalise(
  path: string,
  { json = false }: { readonly json?: boolean },
  context: CommandContext,
): Promise<number> {
  const { activation, files, plan } = await openPlan(path, context);
  return untilInterrupted(activation.name, context, async signal => {
    const result = await finaliseRun({ activation, files, plan, signal });
    reportRun(result, { json }, context);
    return exitCodeOf(result);
  });
}
