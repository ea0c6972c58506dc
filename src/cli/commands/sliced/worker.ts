import { once } from 'node:events';
import { SYSTEM_CLOCK } from '../../../clock.ts';
import { EXIT } from '../../../errors.ts';
import { type CommandContext, openConfig } from '../../command-context.ts';
import { takeLargePages } from '../../large-pages.ts';

export interface WorkerCommandOptions {
  readonly slices: number;
  readonly log?: 'pretty' | 'json';
}

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

/**
 * `sluice worker`: until a signal ends it. The first lets slices end, a second one ends
 * the process at once.
 */
export async function worker(
  { slices: atOnce, log: format }: WorkerCommandOptions,
  context: CommandContext,
): Promise<number> {
  const stopping = new AbortController();
  const stop = (): void => {
    // The processes of slices notice, and end by themselves.
    if (stopping.signal.aborted) process.exit(EXIT.cancelled);
    stopping.abort();
  };
  for (const name of STOPPING) process.on(name, stop);
  takeLargePages();
  try {
    const loaded = await openConfig(context);
    const { SliceWorker } = await import('../../../daemon/worker/slice-worker.ts');
    const { createLog } = await import('../../../daemon/log/log.ts');
    const { defaultProgram } = await import('../../../daemon/processes/run-process.ts');
    const { stdout } = process;
    const log = createLog({
      format: format ?? (stdout.isTTY ? 'pretty' : 'json'),
      destination: stdout,
      colors: stdout.isTTY && stdout.hasColors(),
      redactor: loaded.redactor,
    });
    const started = await SliceWorker.start({
      loaded,
      atOnce,
      log,
      program: defaultProgram(),
      clock: SYSTEM_CLOCK,
    });
    if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
    log.info({}, 'told to stop; slices that are under way may end');
    await started.stop();
  } finally {
    for (const name of STOPPING) process.off(name, stop);
  }
  return EXIT.done;
}
