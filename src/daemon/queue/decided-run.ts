import { decisionPath } from '../../disk/data-directory.ts';
import { SluiceError } from '../../errors.ts';
import type { RunError, RunRecord } from '../../history/run-record.ts';
import { exists } from '../../state/state-io.ts';

/**
 * What there is to know and to say of a run that is decided: its files may be visible, so
 * it can only be finished.
 */

/** Whether an attempt of the run got so far. */
export function isDecided(
  dataDirectory: string,
  { activation, run }: Pick<RunRecord, 'activation' | 'run'>,
): Promise<boolean> {
  return exists(decisionPath(dataDirectory, activation, run));
}

/** Why the run is not finished, with what to do: for whoever looks at the run. */
export function unfinishedError(error: RunError, activation: string): RunError {
  return { ...error, hint: `${error.hint}; the run is decided, and is finished then. ${wayOut(activation)}` };
}

/** The same in one line: for whoever looks at the daemon. */
export function unfinishedProblem(
  runs: readonly string[],
  activation: string,
  { message, hint }: Pick<RunError, 'message' | 'hint'>,
): string {
  const which = `run${runs.length === 1 ? '' : 's'} ${runs.join(', ')} of ${activation}`;
  const is = runs.length === 1 ? 'is' : 'are';
  return `${which} ${is} decided and cannot be finished: ${message}; ${hint}. ${wayOut(activation)}`;
}

function wayOut(activation: string): string {
  return `If that can never be fixed, \`sluice state reset ${activation} --abandon\` gives it up, and keeps the baseline`;
}

/**
 * Its decision is gone, and it is not on record as finished: nobody can finish it any
 * more.
 */
export function givenUpError(run: string): SluiceError {
  const message = `run ${run} was decided, and was given up by \`sluice state reset --abandon\` or by a command that could not publish it`;
  return new SluiceError('STATE_STALE', message, {
    stage: 'state',
    hint: 'with --abandon, files that it had published stay where they are; ask for another run',
  });
}
