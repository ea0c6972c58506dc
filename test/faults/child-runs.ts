import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ChildMessage, CrashJob } from './crashing-run.ts';

type Done = Extract<ChildMessage, { what: 'done' }>;

export interface ChildOutcome {
  /** What the run said; absent where it was killed. */
  readonly done: Done | undefined;
  /** All that it printed. */
  readonly output: string;
}

export interface RunOptions {
  /** Is given what kills the process, when the run starts. */
  readonly onStarted?: (kill: () => void) => void;
}

/**
 * Runs in processes that may be killed. Each is loaded while the one before runs. The program is bundled once, without its
 * packages: compiling it anew in each process would take longer than all the rest.
 */
export class ChildRuns {
  readonly #folder: string;
  readonly #program: string;
  #next: Child | undefined;

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.#program = program;
  }

  static async open(): Promise<ChildRuns> {
    const root = join(import.meta.dirname, '../..');
    // Below node_modules, so that the packages are found.
    const folder = join(root, 'node_modules/.cache', `sluice-faults-${process.pid}-${Date.now()}`);
    mkdirSync(folder, { recursive: true });
    const program = join(folder, 'crashing-run.mjs');
    // The one that tsx brings.
    const { build } = createRequire(createRequire(import.meta.url).resolve('tsx/package.json'))('esbuild');
    await build({
      entryPoints: [join(import.meta.dirname, 'crashing-run.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
    });
    copyFileSync(join(root, 'src/sinks/digest-worker.js'), join(folder, 'digest-worker.js'));
    return new ChildRuns(folder, program);
  }

  async run(job: CrashJob, { onStarted }: RunOptions = {}): Promise<ChildOutcome> {
    const child = this.#next ?? new Child(this.#program);
    await child.ready;
    this.#next = new Child(this.#program);
    return child.run(job, onStarted);
  }

  close(): void {
    this.#next?.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

class Child {
  readonly #process: ChildProcess;
  readonly ready: Promise<void>;
  #output = '';
  #done: Done | undefined;
  #started: (() => void) | undefined;

  constructor(program: string) {
    this.#process = fork(program, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', text => (this.#output += text));
    this.ready = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('exit', () => reject(new Error(`the process did not start:\n${this.#output}`)));
      this.#process.on('message', (message: ChildMessage) => {
        if (message.what === 'ready') resolve();
        else if (message.what === 'started') this.#started?.();
        else if (message.what === 'done') this.#done = message;
      });
    });
    this.ready.catch(() => {});
  }

  async run(job: CrashJob, onStarted: RunOptions['onStarted']): Promise<ChildOutcome> {
    const closed = once(this.#process, 'close');
    this.#started = () => onStarted?.(() => this.kill());
    this.#process.send(job);
    await closed;
    return { done: this.#done, output: this.#output };
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
