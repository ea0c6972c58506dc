import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import pg from 'pg';
import type { Secret } from '../config/secrets.ts';
import type { SluiceError } from '../errors.ts';
import { fromPlainError, type PlainError } from '../plain-error.ts';
import { type Boss, type BossJobWithMetadata, type JobState, loadPgBoss } from './pg-boss-package.ts';
import { openQueueDatabase, type QueueDatabase } from './queue-database.ts';
import { queueError } from './queue-error.ts';

/** A schema of its own, so that pg-boss may be used for other things beside it. */
export const QUEUE_SCHEMA = 'sluice_queue';
const SLICES = 'slices';
/** Where slices go that fail for good; nobody takes them from there. */
const FAILED = 'slices-failed';

/**
 * A worker that gives no sign of life for so long has lost its slice. It gives one three
 * times as often.
 */
const HEARTBEAT_SECONDS = 30;
const HEARTBEAT_REFRESH_SECONDS = 10;
/** How often it is looked whether one has. */
const SUPERVISED_EVERY_SECONDS = 5;
const POLLED_EVERY_SECONDS = 1;
const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 20_000;
const HOURS = 3600;

const OPTIONS = {
  retryLimit: 5,
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 120,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  // As long as pg-boss has it: what hangs is ended by its heartbeat.
  expireInSeconds: 24 * HOURS - 1,
  retentionSeconds: 14 * 24 * HOURS,
  deleteAfterSeconds: 24 * HOURS,
  deadLetter: FAILED,
};

/** One slice of a run, as the queue holds it. */
export interface SliceTask {
  readonly run: string;
  readonly activation: string;
  readonly slice: number;
}

/** How it went, as a worker says it. */
export type SliceOutcome =
  | { readonly worker: string; readonly rows: number; readonly bytes: number; readonly error?: undefined }
  | { readonly worker: string; readonly error: PlainError };

/** How it stands with a slice. */
export interface QueuedSlice {
  readonly slice: number;
  readonly state: JobState;
  /** How often it was begun again. */
  readonly retries: number;
  /** Absent while nobody has said how it went, and where a worker was lost. */
  readonly outcome?: SliceOutcome;
}

export interface TaskToRead extends SliceTask {
  /** Aborted where somebody else reads the slice, or nobody is to. */
  readonly signal: AbortSignal;
}

export interface SliceQueueOptions {
  readonly url: Secret;
  /** What goes wrong beside what was asked for: the queue goes on by itself. */
  readonly onError: (error: SluiceError) => void;
}

/** The queue of slices, in a PostgreSQL that all hosts reach. */
export class SliceQueue {
  readonly #boss: Boss;
  readonly #database: QueueDatabase;

  private constructor(boss: Boss, database: QueueDatabase) {
    this.#boss = boss;
    this.#database = database;
  }

  /** Rejects with NOT_AVAILABLE, QUEUE_CONNECT_FAILED or QUEUE_REFUSED. */
  static async open({ url, onError }: SliceQueueOptions): Promise<SliceQueue> {
    const { PgBoss } = await loadPgBoss();
    const connectionString = compatible(url.reveal());
    return asked(async () => {
      const createSchema = !(await hasSchema(connectionString));
      const tell = (cause: unknown): void => onError(queueError(cause));
      const database = openQueueDatabase(
        {
          connectionString,
          application_name: 'sluice',
          max: 4,
          connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
          // A link that is cut says nothing.
          query_timeout: QUERY_TIMEOUT_MS,
          keepAlive: true,
        },
        tell,
      );
      const boss = new PgBoss({
        db: database,
        schema: QUEUE_SCHEMA,
        createSchema,
        schedule: false,
        superviseIntervalSeconds: SUPERVISED_EVERY_SECONDS,
        monitorIntervalSeconds: SUPERVISED_EVERY_SECONDS,
        openTelemetry: { enabled: false },
      });
      boss.on('error', tell);
      try {
        await boss.start();
        await boss.createQueue(FAILED, { deleteAfterSeconds: OPTIONS.retentionSeconds });
        await boss.createQueue(SLICES, OPTIONS);
      } catch (error) {
        await boss.stop({ graceful: false }).catch(() => {});
        await database.close().catch(() => {});
        throw error;
      }
      return new SliceQueue(boss, database);
    });
  }

  /** Puts them in, all or none. Those that are there stay as they are. */
  async submit(tasks: readonly SliceTask[], source: string): Promise<void> {
    const jobs = tasks.map(task => ({ id: idOf(task), data: task, group: { id: source } }));
    await asked(() => this.#boss.insert(SLICES, jobs));
  }

  /** The slices of a run that are in the queue. */
  async look(run: string): Promise<QueuedSlice[]> {
    const jobs = await asked(() => this.#boss.findJobs(SLICES, { data: { run }, limit: MOST_JOBS }));
    return jobs.map(job => {
      const outcome = outcomeOf(job);
      const { state, retryCount: retries } = job;
      return { slice: (job.data as SliceTask).slice, state, retries, ...(outcome && { outcome }) };
    });
  }

  /**
   * Calls off what is left of other runs of an activation: one at a time is made, and a
   * run that nobody continues would keep its readers.
   */
  async cancelOthers({ activation, run }: Pick<SliceTask, 'activation' | 'run'>): Promise<void> {
    await asked(async () => {
      const jobs = await this.#boss.findJobs(SLICES, { data: { activation }, limit: MOST_JOBS });
      const others = jobs.filter(
        ({ data, state }) =>
          (data as SliceTask).run !== run && (state === 'created' || state === 'retry' || state === 'active'),
      );
      if (others.length > 0)
        await this.#boss.cancel(
          SLICES,
          others.map(({ id }) => id),
        );
    });
  }

  /** Nobody reads them from now on; who does is told. */
  async cancel(run: string, slices: readonly number[]): Promise<void> {
    if (slices.length > 0) await asked(() => this.#boss.cancel(SLICES, idsOf(run, slices)));
  }

  /** Takes them out, so that they can be put in again. */
  async remove(run: string, slices: readonly number[]): Promise<void> {
    if (slices.length > 0) await asked(() => this.#boss.deleteJob(SLICES, idsOf(run, slices)));
  }

  /**
   * Reads slices as they come, `atOnce` at one time, until `close`. `read` never rejects.
   * What was not done for good is tried again later, by whoever comes first.
   */
  async work(
    { atOnce, perSource }: { readonly atOnce: number; readonly perSource: number },
    read: (task: TaskToRead) => Promise<SliceOutcome>,
  ): Promise<void> {
    const options = {
      includeMetadata: true,
      perJobResults: true,
      localConcurrency: atOnce,
      groupConcurrency: perSource,
      pollingIntervalSeconds: POLLED_EVERY_SECONDS,
      heartbeatRefreshSeconds: HEARTBEAT_REFRESH_SECONDS,
    };
    const handle = async ([job]: readonly BossJobWithMetadata[]) => {
      const { id, data, signal } = job!;
      const output = await read({ ...(data as SliceTask), signal });
      const { error } = output;
      const status = error === undefined ? 'completed' : error.retryable ? 'failed' : 'deadletter';
      return [{ id, status, output } as const];
    };
    await asked(() => this.#boss.work(SLICES, options, handle));
  }

  /** Takes no more slices, and waits for those that are being read. Never rejects. */
  async close(patienceMs = 0): Promise<void> {
    await this.#boss.stop({ graceful: patienceMs > 0, timeout: patienceMs });
    await this.#database.close().catch(() => {});
  }
}

const MOST_JOBS = 100_000;

/** What a worker calls itself. */
export function workerName(): string {
  return `${hostname()}:${process.pid}`;
}

/** The same for the same slice of a run: to put it in again changes nothing. */
function idOf({ run, slice }: Pick<SliceTask, 'run' | 'slice'>): string {
  const hash = createHash('sha256').update(`${run}/${slice}`).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

function idsOf(run: string, slices: readonly number[]): string[] {
  return slices.map(slice => idOf({ run, slice }));
}

/** pg-boss notes something of its own where a worker was lost. */
function outcomeOf({ output }: BossJobWithMetadata): SliceOutcome | undefined {
  const isOurs = typeof output === 'object' && output !== null && 'worker' in output;
  return isOurs ? (output as SliceOutcome) : undefined;
}

/** What made a slice fail, as its worker said it. */
export function failureOf({ outcome }: QueuedSlice): SluiceError | undefined {
  return outcome?.error && fromPlainError(outcome.error);
}

/** With the meaning of `sslmode` that libpq gives it, as in URLs of sources. */
function compatible(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('uselibpqcompat') && parsed.searchParams.has('sslmode'))
    parsed.searchParams.set('uselibpqcompat', 'true');
  return parsed.href;
}

/** Where it is there its owner need not be allowed to make schemas. */
async function hasSchema(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [QUEUE_SCHEMA]);
    return rows.length > 0;
  } finally {
    await client.end().catch(() => {});
  }
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw queueError(cause);
  }
}
