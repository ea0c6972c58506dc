import { EXIT } from '../../../errors.ts';
import { readSlice } from '../../../run/sliced/read-slice.ts';
import { stagedBytes } from '../../../run/sliced/sliced-plan.ts';
import type { CommandContext } from '../../command-context.ts';
import { displayProgress } from '../../terminal/progress.ts';
import { formatBytes, formatCount } from '../../terminal/quantities.ts';
import { openPlan, slicesText, untilInterrupted } from './planned-run.ts';

/** `sluice slice`: reads and stages one slice of a planned run. */
export async function slice(
  path: string,
  number: number,
  { json }: { readonly json?: boolean },
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { activation, files, plan } = await openPlan(path, context);
  const { name } = activation;
  const display = json || terminal.isQuiet ? undefined : displayProgress({ activation: name, terminal });
  return untilInterrupted(name, context, async signal => {
    const asked = { activation, files, plan, slice: number, signal, observe: display?.observe };
    const result = await readSlice(asked).finally(() => display?.stop());
    const { run } = plan;
    const bytes = result === undefined ? 0 : stagedBytes(result);
    const rows = result?.rows ?? 0;
    const done =
      result === undefined
        ? `there is no slice ${number}: run ${run} has ${slicesText(plan)}`
        : `slice ${number} of run ${run} has ${formatCount(rows)} rows, ${formatBytes(bytes)}`;
    if (json) terminal.printJson({ run, slice: number, rows, bytes });
    else if (!terminal.isQuiet) terminal.print(`${name}: ${done}`);
    return EXIT.done;
  });
}
