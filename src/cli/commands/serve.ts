import { once } from 'node:events';
import type { LoadedConfig } from '../../config/load.ts';
import type { ServingDaemon } from '../../daemon/serve-daemon.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { takeLargePages } from '../large-pages.ts';
import { watchStopping } from '../stopping.ts';

export interface ServeCommandOptions {
  readonly host?: string;
  readonly port?: number;
  readonly log?: 'pretty' | 'json';
}

/**
 * `sluice serve`: until a signal ends it. The first lets runs end, a second one ends the
 * process at once.
 */
export async function serve(options: ServeCommandOptions, context: CommandContext): Promise<number> {
  let serving: ServingDaemon | undefined;
  let isReloadWanted = false;
  const reload = (): void => {
    if (serving) void serving.reload();
    else isReloadWanted = true;
  };
  // Before anything that takes time: to the first process of a container, SIGTERM without
  // a handler is nothing.
  const stopping = watchStopping();
  process.on('SIGHUP', reload);
  takeLargePages();
  try {
    serving = await start(options, context, stopping.signal);
    if (isReloadWanted) await serving.reload();
    if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
    await serving.stop();
  } catch (error) {
    const isStopped = error instanceof SluiceError && error.code === 'SHUTTING_DOWN';
    if (!(isStopped && stopping.signal.aborted)) throw error;
  } finally {
    stopping.release();
    process.off('SIGHUP', reload);
  }
  return EXIT.done;
}

async function start(
  { host, port, log }: ServeCommandOptions,
  context: CommandContext,
  signal: AbortSignal,
): Promise<ServingDaemon> {
  let opened: LoadedConfig | undefined = await openConfig(context);
  const { loadConfig } = await import('../../config/load.ts');
  const { serveDaemon } = await import('../../daemon/serve-daemon.ts');
  const { stdout } = process;
  const format = log ?? (stdout.isTTY ? 'pretty' : 'json');
  return serveDaemon({
    load: () => {
      const loaded = opened ?? loadConfig({ path: context.configPath });
      opened = undefined;
      return loaded;
    },
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    log: { format, destination: coalesced(stdout), colors: stdout.isTTY && stdout.hasColors() },
    signal,
  });
}

/**
 * Writes to a pipe hold the process up: lines that come in one turn of the loop are
 * written by one of them.
 */
function coalesced(stream: NodeJS.WriteStream): { write(line: string): void } {
  let lines = '';
  const flush = (): void => {
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  process.on('exit', flush);
  return {
    write: line => {
      if (lines === '') setImmediate(flush);
      lines += line;
    },
  };
}
