import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { placesOfSources } from '../support/compile-tests.ts';
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
 * Those with files of their own beside their code, and those that only some formats and
 * credentials need.
 */
const NOT_BUNDLED = [
  ...['@azure/identity', '@dsnp/parquetjs', 'hyparquet-compressors', 'level', '@bokuweb/zstd-wasm'],
  ...['pg-cloudflare', 'pg-native'],
];

/**
 * Runs in processes that may be killed. Each is loaded while the one before runs. The
 * program is bundled once, with its packages: finding and loading hundreds of files again
 * in each process would take longer than all the rest.
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
    await build({
      entryPoints: [join(import.meta.dirname, 'crashing-run.ts')],
      outdir: folder,
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: NOT_BUNDLED,
      ...placesOfSources,
      // Packages in CommonJS ask for Node's own modules.
      banner: {
        js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
      },
    });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    return new ChildRuns(folder, join(folder, 'crashing-run.js'));
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
