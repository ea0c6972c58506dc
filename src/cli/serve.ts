import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { EXIT } from '../errors.ts';
import { type CommandContext, openConfig } from './command-context.ts';

export interface ServeCommandOptions {
  readonly host?: string;
  readonly port?: number;
  readonly log?: 'pretty' | 'json';
}

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

/** `sluice serve`: until a signal ends it. The first lets runs end, a second one ends the process at once. */
export async function serve(options: ServeCommandOptions, context: CommandContext): Promise<number> {
  let opened: LoadedConfig | undefined = await openConfig(context);
  const { serveDaemon } = await import('../daemon/serve-daemon.ts');
  const { stdout } = process;
  const { host, port, log: format = stdout.isTTY ? 'pretty' : 'json' } = options;
  const serving = await serveDaemon({
    load: () => {
      const loaded = opened ?? loadConfig({ path: context.configPath });
      opened = undefined;
      return loaded;
    },
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    log: { format, destination: coalesced(stdout), colors: stdout.isTTY && stdout.hasColors() },
  });
  const reload = (): void => void serving.reload();
  process.on('SIGHUP', reload);
  try {
    await new Promise<void>((resolve, reject) => {
      let isStopping = false;
      const stop = (): void => {
        // The processes of runs notice, and end by themselves.
        if (isStopping) process.exit(EXIT.cancelled);
        isStopping = true;
        serving.stop().then(resolve, reject);
      };
      for (const name of STOPPING) process.on(name, stop);
    });
  } finally {
    process.off('SIGHUP', reload);
  }
  return EXIT.done;
}

/** Writes to a pipe hold the process up: lines that come in one turn of the loop are written by one of them. */
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
