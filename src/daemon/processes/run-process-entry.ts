import {
  type ResolvableConfig,
  type ResolvedActivation,
  resolveActivation,
} from '../../config/activation.ts';
import { Redactor } from '../../config/secrets.ts';
import { loadSnapshot } from '../../config/snapshot.ts';
import { toPlainError } from '../../plain-error.ts';
import { exportRun, type RunProgress } from '../../run/export-run.ts';
import { planActivation } from '../../run/plan/plan-activation.ts';
import { previewActivation } from '../../run/preview.ts';
import { recoverActivation } from '../../run/recover-activation.ts';
import { validateActivation } from '../../run/validation/validate.ts';
import {
  type FromRunProcess,
  type Job,
  type JobResult,
  type ToRunProcess,
  toPlainValidation,
} from './run-messages.ts';

/**
 * The program of a run's own process. It takes one job, tells how it goes, and ends.
 * Should the daemon go away, it ends by itself: what is not decided is dropped, what is
 * decided is finished.
 */

const ALIVE_EVERY_MS = 1_000;
const PROGRESS_EVERY_MS = 500;
const MAX_CAUSES = 8;

const stop = new AbortController();
let isCancelled = false;
let redactor = new Redactor();

// A terminal sends these to the whole group of processes; whether a run ends is the
// daemon's to say.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {});
process.on('disconnect', () => stop.abort());
process.on('message', (message: ToRunProcess) => {
  if (message.what === 'stop') {
    isCancelled = message.why === 'cancelled';
    stop.abort();
  } else void carryOut(message);
});

setInterval(() => tell({ what: 'alive', residentBytes: process.memoryUsage.rss() }), ALIVE_EVERY_MS).unref();

async function carryOut({ job, snapshot }: Extract<ToRunProcess, { what: 'begin' }>): Promise<void> {
  let last: FromRunProcess;
  try {
    const loaded = loadSnapshot(snapshot);
    redactor = loaded.redactor;
    const activation = resolveActivation(loaded.config, job.activation);
    last = { what: 'done', result: await resultOf(job, activation, loaded.config) };
  } catch (error) {
    last = { what: 'failed', error: toPlainError(error) };
  }
  // Whether or not anybody still listens. Connections that drivers keep would hold the
  // process for seconds more.
  if (process.send === undefined || !process.connected) process.exit();
  process.send(redactor.cleanValue(last), () => process.exit());
}

async function resultOf(
  job: Job,
  activation: ResolvedActivation,
  config: ResolvableConfig,
): Promise<JobResult> {
  const { signal } = stop;
  switch (job.kind) {
    case 'export': {
      const progress = new ProgressTeller();
      const { asked, trigger } = job.record;
      const made = { activation, record: job.record, signal, observe: progress.observe };
      const { error, ...result } = config.queue
        ? await (await import('../../run/queued/export-by-queue.ts')).exportByQueue({
            ...made,
            config,
            isCancelled: () => isCancelled,
          })
        : await exportRun({ ...made, trigger, ...asked, clean: text => redactor.clean(text) });
      progress.end();
      return { kind: 'export', ...result, causes: causesOf(error) };
    }
    case 'slice': {
      const { readQueuedSlice } = await import('../../run/queued/read-queued-slice.ts');
      return { kind: 'slice', ...(await readQueuedSlice({ ...job, activation, config, signal })) };
    }
    case 'recover':
      return { kind: 'recover', recovered: await recoverActivation({ activation, signal }) };
    case 'validate': {
      const validation = await validateActivation({ activation, offline: false, signal });
      return { kind: 'validate', validation: toPlainValidation(validation) };
    }
    case 'preview': {
      const clean = (text: string): string => redactor.clean(text);
      const preview = await previewActivation({ activation, rows: job.rows, signal, clean });
      return { kind: 'preview', preview };
    }
    case 'plan': {
      const { full, params, rows } = job;
      const clean = (text: string): string => redactor.clean(text);
      const asked = { ...(full && { full }), ...(params && { params }) };
      const plan = await planActivation({ activation, rows, signal, clean, ...asked });
      return { kind: 'plan', plan };
    }
    default:
      return job satisfies never;
  }
}

/** Tells the progress as often as it is worth it, and only where it has changed. */
class ProgressTeller {
  #timer: NodeJS.Timeout | undefined;
  #look: (() => RunProgress) | undefined;
  #told = '';

  readonly observe = (look: () => RunProgress): void => {
    clearInterval(this.#timer);
    this.#look = look;
    this.#timer = setInterval(() => this.#say(), PROGRESS_EVERY_MS);
    this.#timer.unref();
    this.#say();
  };

  /** Where it got to is told as well: that a run waits is not the last that is heard. */
  end(): void {
    clearInterval(this.#timer);
    this.#say();
  }

  #say(): void {
    const progress = this.#look?.();
    const text = JSON.stringify(progress);
    if (progress === undefined || text === this.#told) return;
    this.#told = text;
    tell({ what: 'progress', progress });
  }
}

function tell(message: FromRunProcess): void {
  if (process.connected) process.send?.(message, () => {});
}

function causesOf(error: unknown): string[] {
  const causes: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && cause !== null && causes.length < MAX_CAUSES) {
    const { name, message, code } = cause as Error & { code?: unknown };
    causes.push([name, code, message].filter(part => part !== undefined && part !== '').join(' '));
    cause = (cause as Error).cause;
  }
  return causes;
}
