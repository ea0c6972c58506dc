import { Redactor, Secret } from '../../config/secrets.ts';
import type { CommandContext } from '../command-context.ts';
import { withInterruption } from '../interruption.ts';
import { DaemonClient } from './daemon-client.ts';
import { DaemonConnection } from './daemon-connection.ts';

/**
 * The daemon that `--on` names, with the token of SLUICE_TOKEN, which is not printed from
 * here on.
 */
function connectToDaemon(url: string, signal: AbortSignal, { terminal }: CommandContext): DaemonClient {
  const token = (process.env['SLUICE_TOKEN'] ?? '').trim();
  if (token !== '') terminal.redactor = new Redactor([new Secret(token)]);
  return new DaemonClient({
    connection: new DaemonConnection(url, token, process.env),
    signal,
    onRetry: message => {
      if (!terminal.isQuiet) terminal.note(message);
    },
  });
}

/** Asks the daemon that `--on` names. Ctrl-C ends that with CANCELLED. */
export function withDaemon<Result>(
  url: string,
  context: CommandContext,
  ask: (client: DaemonClient, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const message = 'no longer waiting; what the daemon does continues';
  return withInterruption(context.terminal, message, signal =>
    ask(connectToDaemon(url, signal, context), signal),
  );
}
