import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

export interface Measurement {
  readonly wallMs: number;
  /** CPU of the command and all its descendants, in steps of 10 ms. */
  readonly userMs: number;
  readonly systemMs: number;
  /** Largest resident memory that one process of the command had; 0 outside Linux. */
  readonly peakRssBytes: number;
  /**
   * Largest sum of the resident memory of all its processes at one time; shared pages
   * count in each.
   */
  readonly peakTreeRssBytes: number;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MeasureOptions {
  readonly cwd?: string;
  /** Added to the present environment. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * How often memory is looked at. High-water marks are read, so only a peak in the last
   * interval is missed.
   */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * The shell waits for the command, and so knows the CPU of all that it waited for,
 * exactly and portably.
 */
const TIMED = '"$@" 3>&-; code=$?; times >&3; exit $code';

/**
 * Runs a command to its end and says what it took. A failing command is a result, not an
 * error.
 */
export async function measure(
  command: string,
  args: readonly string[],
  options: MeasureOptions = {},
): Promise<Measurement> {
  const started = process.hrtime.bigint();
  const shell = spawn('/bin/sh', ['-c', TIMED, 'measure', command, ...args], {
    detached: true, // a group of its own, so that an abort reaches the command as well as the shell
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const pid = shell.pid as number;
  const memory = new MemoryWatch(pid);
  const timer = setInterval(() => memory.look(), options.intervalMs ?? 20);
  const kill = () => killGroup(shell);
  options.signal?.addEventListener('abort', kill);
  const output = Promise.all(
    [shell.stdout, shell.stderr, shell.stdio[3]].map(stream => text(stream as Readable)),
  ) as Promise<[string, string, string]>;
  try {
    const [exitCode] = (await once(shell, 'exit')) as [number | null];
    const wallMs = Number(process.hrtime.bigint() - started) / 1e6;
    const [stdout, stderr, times] = await output;
    options.signal?.throwIfAborted();
    const [userMs, systemMs] = childTimes(times);
    return { wallMs, userMs, systemMs, ...memory.peaks, exitCode: exitCode ?? -1, stdout, stderr };
  } finally {
    clearInterval(timer);
    options.signal?.removeEventListener('abort', kill);
  }
}

/** For commands that must not fail. */
export async function measureSuccess(
  command: string,
  args: readonly string[],
  options?: MeasureOptions,
): Promise<Measurement> {
  const measurement = await measure(command, args, options);
  const { exitCode, stderr, stdout } = measurement;
  if (exitCode === 0) return measurement;
  throw new Error(`exit code ${exitCode}: ${stderr}${stdout.slice(0, 2000)}`);
}

/** The second line of `times`: the waited-for children, as in `0m1.23s 0m0.04s`. */
function childTimes(times: string): [number, number] {
  const [user, system] = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.,]+)s/g)].map(
    ([, minutes, seconds]) => (Number(minutes) * 60 + Number(seconds?.replace(',', '.'))) * 1000,
  );
  return [user ?? 0, system ?? 0];
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // ended in the meantime
  }
}

class MemoryWatch {
  readonly #root: number;
  readonly #supported = process.platform === 'linux';
  readonly peaks = { peakRssBytes: 0, peakTreeRssBytes: 0 };

  constructor(root: number) {
    this.#root = root;
  }

  look(): void {
    if (!this.#supported) return;
    let sum = 0;
    for (const pid of descendants(this.#root)) {
      const { peak, now } = residentBytes(pid);
      sum += now;
      this.peaks.peakRssBytes = Math.max(this.peaks.peakRssBytes, peak);
    }
    this.peaks.peakTreeRssBytes = Math.max(this.peaks.peakTreeRssBytes, sum);
  }
}

function descendants(root: number): number[] {
  const found: number[] = [];
  for (const child of childrenOf(root)) found.push(child, ...descendants(child));
  return found;
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(task =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // ended in the meantime
  }
}

function residentBytes(pid: number): { peak: number; now: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const read = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
    return { peak: read('VmHWM'), now: read('VmRSS') };
  } catch {
    return { peak: 0, now: 0 };
  }
}
