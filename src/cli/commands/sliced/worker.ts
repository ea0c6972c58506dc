import { once } from 'node:events';
import { SYSTEM_CLOCK } from '../../../clock.ts';
import { EXIT } from '../../../errors.ts';
import { type CommandContext, openConfig } from '../../command-context.ts';
import { takeLargePages } from '../../large-pages.ts';
import { watchStopping } from '../../stopping.ts';

export interface WorkerCommandOptions {
  readonly slices: number;
  readonly log?: 'pretty' | 'json';
}

/**
 * `sluice worker`: until a signal ends it. The first lets slices end, a second one ends
 * the process at once.
 */
export async function worker(
  { slices: atOnce, log: format }: WorkerCommandOptions,
  context: CommandContext,
): Promise<number> {
  const stopping = watchStopping();
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
    stopping.release();
  }
  return EXIT.done;
}
