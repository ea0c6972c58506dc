import { isSuccess } from '../../history/run-state.ts';
import type { ExportResult } from '../../run/export-run.ts';
import type { CommandContext } from '../command-context.ts';
import { noteFailure } from '../failure.ts';
import { suggestAfterHeld } from './next-command.ts';
import { runSummary } from './run-summary.ts';

/**
 * Outcome on standard output; errors, warnings and what else happened on standard error.
 */
export function reportRun(
  { record, error, recovered }: ExportResult,
  { json, on }: { readonly json?: boolean; readonly on?: string },
  context: CommandContext,
): void {
  const { terminal, verbose } = context;
  const { activation, state, warnings, reason, release } = record;
  for (const earlier of recovered) {
    const count = earlier.files.length === 1 ? '1 file' : `${earlier.files.length} files`;
    terminal.note(`${activation}: the earlier run ${earlier.run} was finished first (${count})`);
  }
  for (const { code, message } of warnings) {
    if (code === 'HELD') {
      terminal.note(`${terminal.paintNote('yellow', 'held')} ${activation}: ${message}; ${release}`);
    } else {
      terminal.note(`${terminal.paintNote('yellow', `warning ${code}`)}: ${activation}: ${message}`);
    }
  }
  if (state === 'failed' || state === 'cancelled') {
    noteFailure(terminal, error, { on: activation, verbose });
  }
  if (json) terminal.printJson(record);
  else if (isSuccess(record) && !terminal.isQuiet) terminal.print(runSummary(record, terminal), 4);
  if (reason !== undefined) suggestAfterHeld(activation, reason, context, on);
}
