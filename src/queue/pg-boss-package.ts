import { SluiceError } from '../errors.ts';

/** What is used of pg-boss, which is installed only where there is a queue. */

export type JobState = 'created' | 'retry' | 'active' | 'completed' | 'cancelled' | 'failed';

export interface BossJob {
  readonly id: string;
  readonly data: unknown;
  /** Aborted where the job is no longer this worker's. */
  readonly signal: AbortSignal;
}

export interface BossJobWithMetadata extends BossJob {
  readonly state: JobState;
  readonly retryCount: number;
  readonly output: unknown;
}

export interface NewBossJob {
  readonly id: string;
  readonly data: object;
  readonly group: { readonly id: string };
}

export interface Instance {
  readonly instanceName: string | null;
  readonly quiet?: boolean;
}

/** How one job of a batch has ended; `deadletter` for good, whatever tries are left. */
export interface JobOutcome {
  readonly id: string;
  readonly status: 'completed' | 'failed' | 'deadletter';
  readonly output: object;
}

export interface Boss {
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'warning', listener: (warning: { message: string }) => void): this;
  start(): Promise<unknown>;
  stop(options: { graceful: boolean; timeout?: number; close?: boolean }): Promise<void>;
  createQueue(name: string, options: object): Promise<void>;
  updateQueue(name: string, options: object): Promise<void>;
  insert(name: string, jobs: readonly NewBossJob[]): Promise<unknown>;
  findJobs(name: string, options: object): Promise<BossJobWithMetadata[]>;
  cancel(name: string, ids: readonly string[]): Promise<unknown>;
  deleteJob(name: string, ids: readonly string[]): Promise<unknown>;
  work(
    name: string,
    options: object,
    handler: (jobs: readonly BossJobWithMetadata[]) => Promise<readonly JobOutcome[]>,
  ): Promise<string>;
  offWork(name: string, options: { wait: boolean }): Promise<void>;
}

export type BossPackage = { readonly PgBoss: new (options: object) => Boss };

const VERSION = '12.38.0';

/** Rejects with NOT_AVAILABLE where it is not installed. */
export async function loadPgBoss(): Promise<BossPackage> {
  // A name that the compiler does not look up: the package need not be there.
  const name: string = 'pg-boss';
  try {
    return (await import(name)) as BossPackage;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new SluiceError('NOT_AVAILABLE', '`queue` needs the package pg-boss, which is not installed', {
      cause,
      hint: `install it beside Sluice: \`npm install --save-exact pg-boss@${VERSION}\` (for Node.js 22.12 and later); the container image has it`,
    });
  }
}
