import { type ChildProcess, fork } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { DaemonClock } from '../../clock.ts';
import type { Secret } from '../../config/secrets.ts';
import { SluiceError } from '../../errors.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { RunProgress } from '../../run/export-run.ts';
import type { Log } from '../parts.ts';
import type { FromRunProcess, Job, JobResult, StopReason, ToRunProcess } from './run-messages.ts';

/** What a process is started as. */
export interface RunProgram {
  readonly path: string;
  readonly execArgv: readonly string[];
}

export interface RunProcessOptions {
  readonly job: Job;
  readonly snapshot: Secret;
  readonly program: RunProgram;
  readonly memoryBytes: number;
  readonly heartbeatTimeoutMs: number;
  readonly clock: DaemonClock;
  readonly log: Log;
  readonly onProgress?: (progress: RunProgress) => void;
}

/** How a process ended: with what its job came to, or with why there is nothing. */
export type ProcessOutcome =
  | { readonly result: JobResult; readonly error?: undefined }
  | { readonly result?: undefined; readonly error: SluiceError };

/** A process that has said its last word and does not end is ended. */
const LINGER_MS = 5_000;
/**
 * A line on its standard error is cut here, and so much of the end is looked through for
 * V8's last words.
 */
const MAX_LINE = 8_192;
/**
 * The daemon itself may have been stopped for a while: signs of life that came meanwhile
 * are read first.
 */
const SECOND_LOOK_MS = 1_000;

const STOPPED: Readonly<Record<StopReason, string>> = {
  cancelled: 'was cancelled',
  ending: 'was told that the daemon ends',
};

/** Niceness of run processes: a busy daemon gets nine times the CPU of one of them. */
const NICENESS = 10;

const V8_OUT_OF_MEMORY =
  /heap out of memory|Allocation failed|Fatal process out of memory|ERR_WORKER_OUT_OF_MEMORY/i;

/**
 * The program as it lies beside this file, with the loaders that this process was started
 * with.
 */
export function defaultProgram(): RunProgram {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const path = fileURLToPath(new URL(`./run-process-entry.${extension}`, import.meta.url));
  return { path, execArgv: loadersOf(process.execArgv) };
}

function loadersOf(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    if (/^--(import|require|loader|experimental-loader|conditions)$/.test(arg))
      return [arg, args[index + 1] ?? ''];
    return /^--(import|require|loader|experimental-loader|conditions)=/.test(arg) ? [arg] : [];
  });
}

/**
 * One process, made for one job. It is ended where it takes too much memory, gives no
 * sign of life, or does not stop when it is told to; `ended` never rejects, and resolves
 * when the process is gone, so that whatever it had locked is free.
 */
export class RunProcess {
  readonly ended: Promise<ProcessOutcome>;
  readonly #options: RunProcessOptions;
  readonly #child: ChildProcess;
  readonly #timers = new Set<() => void>();
  #callOffWatch: () => void = () => {};
  #outcome: ProcessOutcome | undefined;
  #killedFor: SluiceError | undefined;
  #lastWords = '';

  constructor(options: RunProcessOptions) {
    this.#options = options;
    const { program, memoryBytes } = options;
    const heapMiB = Math.max(16, Math.floor(memoryBytes / 1024 ** 2));
    this.#child = fork(program.path, [], {
      execArgv: [...program.execArgv, `--max-old-space-size=${heapMiB}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    if (this.#child.pid !== undefined) lowerPriority(this.#child.pid);
    this.ended = this.#follow();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Tells it to stop, and ends it where it has not after `patienceMs`. What it has
   * decided it finishes.
   */
  stop(patienceMs: number, why: StopReason): void {
    this.#send({ what: 'stop', why });
    this.#after(patienceMs, () =>
      this.kill(
        new SluiceError('RUN_KILLED', `the process of the run ${STOPPED[why]}, did not stop, and was ended`, {
          stage: 'run',
        }),
      ),
    );
  }

  /** At once. What is decided is finished by a later process. */
  kill(reason: SluiceError): void {
    this.#killedFor ??= reason;
    this.#child.kill('SIGKILL');
  }

  async #follow(): Promise<ProcessOutcome> {
    const child = this.#child;
    for (const stream of [child.stdout, child.stderr]) if (stream) this.#logLines(stream);
    child.on('message', (message: FromRunProcess) => this.#hear(message));
    this.#watch();
    this.#send({ what: 'begin', job: this.#options.job, snapshot: this.#options.snapshot.reveal() });
    const failure = await new Promise<SluiceError | undefined>(resolve => {
      child.once('error', cause => {
        // Also comes where a signal cannot be sent; then it has ended.
        if (child.pid === undefined) resolve(startError(cause));
      });
      child.once('close', (code, signal) => resolve(this.#endError(code, signal)));
    });
    this.#callOffWatch();
    for (const callOff of this.#timers) callOff();
    if (this.#outcome) return this.#outcome;
    return { error: failure ?? killedError('ended without a result') };
  }

  #hear(message: FromRunProcess): void {
    this.#watch();
    switch (message.what) {
      case 'alive':
        this.#checkMemory(message.residentBytes);
        return;
      case 'progress':
        this.#options.onProgress?.(message.progress);
        return;
      case 'done':
        this.#conclude({ result: message.result });
        return;
      case 'failed':
        this.#conclude({ error: fromPlainError(message.error) });
        return;
      default:
        message satisfies never;
    }
  }

  #conclude(outcome: ProcessOutcome): void {
    this.#outcome ??= outcome;
    this.#after(LINGER_MS, () => this.#child.kill('SIGKILL'));
  }

  #checkMemory(residentBytes: number): void {
    const { memoryBytes } = this.#options;
    if (residentBytes <= memoryBytes) return;
    const message = `the process of the run took ${inMiB(residentBytes)} of memory and may take ${inMiB(memoryBytes)}`;
    this.kill(new SluiceError('RUN_OUT_OF_MEMORY', message, { stage: 'run' }));
  }

  /** Anew with each sign of life. */
  #watch(): void {
    const { clock, heartbeatTimeoutMs } = this.#options;
    this.#callOffWatch();
    this.#callOffWatch = clock.after(heartbeatTimeoutMs, () => {
      this.#callOffWatch = clock.after(Math.min(SECOND_LOOK_MS, heartbeatTimeoutMs), () => {
        const seconds = heartbeatTimeoutMs / 1000;
        const message = `the process of the run gave no sign of life for ${seconds} s`;
        this.kill(new SluiceError('RUN_HUNG', message, { stage: 'run' }));
      });
    });
  }

  #endError(code: number | null, signal: NodeJS.Signals | null): SluiceError {
    if (this.#killedFor) return this.#killedFor;
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    if (V8_OUT_OF_MEMORY.test(this.#lastWords)) {
      const message = `the process of the run was out of memory (${how}); it may take ${inMiB(this.#options.memoryBytes)}`;
      return new SluiceError('RUN_OUT_OF_MEMORY', message, { stage: 'run' });
    }
    if (signal !== 'SIGKILL') return killedError(`ended with ${how}`);
    const hint = 'the system ends processes so when memory is short; look at its log. The run is tried again';
    return killedError(`was ended from outside (${how})`, hint);
  }

  #after(milliseconds: number, act: () => void): void {
    const callOff = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(callOff);
      act();
    });
    this.#timers.add(callOff);
  }

  #send(message: ToRunProcess): void {
    // It may have ended a moment ago: then that is what is told of it.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #logLines(stream: Readable): void {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-MAX_LINE);
      const lines = (rest + text).split('\n');
      rest = lines.pop()!.slice(0, MAX_LINE);
      for (const line of lines) this.#logLine(line);
    });
    stream.once('end', () => this.#logLine(rest));
  }

  #logLine(line: string): void {
    if (line.trim() === '') return;
    const { job, log } = this.#options;
    const run = job.kind === 'export' ? { run: job.record.run } : {};
    log.warn({ ...run, activation: job.activation, pid: this.pid }, line.slice(0, MAX_LINE));
  }
}

/**
 * Whoever asks the daemon something is answered though its runs take all the processors
 * that there are.
 */
function lowerPriority(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It has ended, or the system does not allow it: then it runs as it is.
  }
}

function startError(cause: Error): SluiceError {
  const message = `the process of the run could not be started: ${cause.message}`;
  return new SluiceError('RUN_KILLED', message, { cause, stage: 'run' });
}

function killedError(what: string, hint?: string): SluiceError {
  return new SluiceError('RUN_KILLED', `the process of the run ${what}`, {
    stage: 'run',
    ...(hint && { hint }),
  });
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
