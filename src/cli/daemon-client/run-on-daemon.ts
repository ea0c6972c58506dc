import { randomUUID } from 'node:crypto';
import type { CommandContext } from '../command-context.ts';
import { errorOfRecord, exitCodeOf, exitCodeOfError, gravest } from '../exit-code.ts';
import { noteFailure } from '../failure.ts';
import { reportRun } from '../terminal/report-run.ts';
import { withDaemon } from './connect-to-daemon.ts';
import { followRun } from './follow-run.ts';

export interface RunOnDaemonOptions {
  readonly all?: boolean;
  readonly full?: boolean;
  readonly json?: boolean;
  readonly allowRemovals?: boolean;
  readonly param?: Readonly<Record<string, string>>;
}

/**
 * `sluice run --on`: each activation in turn, as runs of the daemon. They continue there
 * when this command is stopped.
 */
export function runOnDaemon(
  url: string,
  names: readonly string[],
  { all, full, allowRemovals, param: params, json }: RunOnDaemonOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal, verbose } = context;
  return withDaemon(url, context, async (client, signal) => {
    const wanted = all ? (await client.activations()).map(({ name }) => name) : names;
    const codes: number[] = [];
    for (const name of wanted) {
      try {
        const key = `sluice-run-${randomUUID()}`;
        const options = {
          full: full === true,
          allowRemovals: allowRemovals === true,
          key,
          ...(params && { params }),
        };
        const run = await client.trigger(name, options);
        const record = await followRun(run, {
          client,
          terminal,
          signal,
          isSilent: json === true || terminal.isQuiet,
        });
        const error = errorOfRecord(record);
        const result = { record, ...(error && { error }), recovered: [] };
        reportRun(result, { ...(json && { json }), on: url }, context);
        codes.push(exitCodeOf(result));
      } catch (error) {
        signal.throwIfAborted();
        noteFailure(terminal, error, { on: name, verbose });
        codes.push(exitCodeOfError(error));
      }
    }
    return gravest(codes);
  });
}
