import type { ActivationStatus } from '../../daemon/operations.ts';
import { EXIT } from '../../errors.ts';
import type { CommandContext } from '../command-context.ts';
import { withDaemon } from '../daemon-client/connect-to-daemon.ts';
import { statusDetails } from '../terminal/status-table.ts';

export interface PauseOptions {
  readonly on: string;
  readonly reason?: string;
  readonly json?: boolean;
}

/** `sluice pause`: no run of the activation begins at the daemon until it is resumed. */
export async function pause(
  name: string,
  { on, reason, json }: PauseOptions,
  context: CommandContext,
): Promise<number> {
  report(await withDaemon(on, context, client => client.pause(name, reason)), json, context);
  return EXIT.done;
}

/** `sluice resume`: runs of the activation begin again. */
export async function resume(
  name: string,
  { on, json }: Omit<PauseOptions, 'reason'>,
  context: CommandContext,
): Promise<number> {
  report(await withDaemon(on, context, client => client.resume(name)), json, context);
  return EXIT.done;
}

function report(status: ActivationStatus, json: boolean | undefined, { terminal }: CommandContext): void {
  if (json) terminal.printJson(status);
  else terminal.print(statusDetails(status, terminal), 16);
}
