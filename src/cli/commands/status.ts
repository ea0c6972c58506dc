import { unknownNameError } from '../../config/checks/nearest-name.ts';
import type { ActivationStatus } from '../../daemon/operations.ts';
import { EXIT } from '../../errors.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';
import { withDaemon } from '../daemon-client/connect-to-daemon.ts';
import { statusDetails, statusTable } from '../terminal/status-table.ts';
import { liveRecords } from './runs.ts';

export interface StatusOptions {
  readonly on?: string;
  readonly json?: boolean;
}

/**
 * `sluice status`: how each activation stands, or one of them with everything that is
 * known of it.
 */
export async function status(
  name: string | undefined,
  { on, json }: StatusOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const shown = on === undefined ? await statusesHere(name, context) : await statusesOf(on, name, context);
  if (json) for (const one of shown) terminal.printJson(one);
  else if (shown.length === 0) terminal.print('no activations are configured');
  else if (name !== undefined) terminal.print(statusDetails(shown[0]!, terminal), 16);
  else terminal.print(statusTable(shown, terminal));
  return EXIT.done;
}

function statusesOf(
  url: string,
  name: string | undefined,
  context: CommandContext,
): Promise<readonly ActivationStatus[]> {
  return withDaemon(url, context, async client =>
    name === undefined ? client.activations() : [await client.activation(name)],
  );
}

async function statusesHere(
  name: string | undefined,
  context: CommandContext,
): Promise<readonly ActivationStatus[]> {
  const loaded = await openHistoryConfig(context);
  const { activations, dataDirectory } = loaded.config;
  if (name !== undefined && !Object.hasOwn(activations, name))
    throw unknownNameError('activation', name, Object.keys(activations));
  const { keptStatuses } = await import('../../daemon/kept-status.ts');
  const statuses = await keptStatuses(loaded, await liveRecords(dataDirectory, context.terminal));
  if (name !== undefined) return statuses.filter(one => one.name === name);
  // As the daemon answers: a list leaves the files of last runs out.
  const { listedActivation } = await import('../../daemon/api/schemas/activation-schema.ts');
  return statuses.map(one => listedActivation(one) as unknown as ActivationStatus);
}
