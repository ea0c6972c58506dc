import { resolveActivation } from '../../config/activation.ts';
import { acceptParameters } from '../../config/parameters/bind-parameters.ts';
import { EXIT } from '../../errors.ts';
import type { Plan } from '../../run/plan/plan-activation.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { watchSignals } from '../interruption.ts';
import { planDescription } from '../terminal/plan-description.ts';
import { displayProgress } from '../terminal/progress.ts';

export interface PlanOptions {
  readonly full?: boolean;
  readonly rows: number;
  readonly param?: Readonly<Record<string, string>>;
  readonly json?: boolean;
}

const EXIT_CODES = { changes: EXIT.changes, nothing: EXIT.done, held: EXIT.held } as const;

/** `sluice plan`: what a run now would publish, which is not published. */
export async function plan(
  name: string,
  { full, rows, param: params, json }: PlanOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { config } = await openConfig(context);
  const activation = resolveActivation(config, name);
  const clean = (text: string): string => terminal.clean(text);
  acceptParameters(activation, params, clean);
  const { planActivation } = await import('../../run/plan/plan-activation.ts');
  const { signal, release } = watchSignals(terminal);
  const display = json || terminal.isQuiet ? undefined : displayProgress({ activation: name, terminal });
  let planned: Plan;
  try {
    planned = await planActivation({
      activation,
      full: full === true,
      rows,
      ...(params && { params }),
      signal,
      clean,
      ...(display && { observe: display.observe }),
    });
  } finally {
    display?.stop();
    release();
  }
  const { outcome, warnings, held } = planned;
  for (const { code, message } of warnings)
    terminal.note(`${terminal.paintNote('yellow', `warning ${code}`)}: ${name}: ${message}`);
  if (held)
    terminal.note(`${terminal.paintNote('yellow', 'held')} ${name}: ${held.message}; ${held.release}`);
  if (json) terminal.printJson(planned);
  else terminal.print(planDescription(planned, terminal), 4);
  return EXIT_CODES[outcome];
}
