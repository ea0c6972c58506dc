import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { SYSTEM_CLOCK } from '../../src/clock.ts';
import { type ResolvedActivation, resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { ProtocolParts } from '../../src/publish/protocol.ts';
import { type ExportRequest, type ExportResult, exportRun } from '../../src/run/export-run.ts';
import { azureRules } from '../support/azure-rules.ts';
import { getAzurite, type TestContainer } from '../support/azurite.ts';
import { type BlobProxy, startBlobProxy } from '../support/blob-proxy.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import type { ChildOutcome, ChildRuns, RunOptions } from './child-runs.ts';
import type { KillPoint } from './crashing-run.ts';
import { Oracle } from './oracle.ts';
import { interceptSteps, type StepHook } from './protocol-steps.ts';
import { SourceHistory } from './source-history.ts';

export type Settings = Readonly<Record<string, unknown>>;

export interface OpenOptions {
  /** Keys of the activation. */
  readonly settings: Settings;
  readonly rowCount?: number;
  /** Where the data directory is to be. */
  readonly below?: string;
  /** Keys of the source. */
  readonly sourceSettings?: Settings;
}

export interface RunRequest extends Partial<ExportRequest> {
  readonly onStep?: StepHook;
  readonly sasToken?: string;
  readonly settings?: Settings;
}

const ACTIVATION = 'checked';
const PASSWORD = 'canary-password-7391';
/** An unanswered commit is asked for again soon: what is tested is not patience. */
const PAUSE_DIVISOR = 20;

/**
 * An activation between a real database and a real emulator, by way of proxies that
 * faults can be put into, and the oracle that watches it. Behind the fault proxy is
 * another with the rules of Azure that the emulator lacks, so that they are applied when
 * a late request arrives, not when it was sent.
 */
export class CheckedExport {
  readonly database: TestDatabase;
  readonly container: TestContainer;
  readonly blobs: BlobProxy;
  readonly postgres: TcpProxy;
  readonly source: SourceHistory;
  readonly dataDirectory: string;
  readonly oracle: Oracle;
  readonly sasToken: string;
  readonly #rules: BlobProxy;
  readonly #options: OpenOptions;

  private constructor(
    parts: Pick<CheckedExport, 'database' | 'container' | 'blobs' | 'postgres' | 'source' | 'dataDirectory'>,
    rules: BlobProxy,
    options: OpenOptions,
  ) {
    this.database = parts.database;
    this.container = parts.container;
    this.blobs = parts.blobs;
    this.postgres = parts.postgres;
    this.source = parts.source;
    this.dataDirectory = parts.dataDirectory;
    this.#rules = rules;
    this.#options = options;
    this.sasToken = this.container.sas('racwdl');
    const { syncMode = 'snapshot', runType = 'full_only' } = options.settings;
    this.oracle = new Oracle({
      activation: ACTIVATION,
      syncMode: syncMode as string,
      runType: runType as string,
      container: this.container,
      source: this.source,
      dataDirectory: this.dataDirectory,
      secrets: [PASSWORD, ...secretsOf(this.sasToken)],
    });
  }

  static async open(options: OpenOptions): Promise<CheckedExport> {
    const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
    const database = await postgres.createDatabase();
    const container = await azurite.createContainer();
    const rules = await startBlobProxy(container.accountUrl, azureRules());
    const parts = {
      database,
      container,
      blobs: await startBlobProxy(rules.origin),
      postgres: await startTcpProxy(database.url),
      source: await SourceHistory.create(database, options.rowCount ?? 12),
      dataDirectory: await mkdtemp(join(options.below ?? tmpdir(), 'sluice-faults-')),
    };
    return new CheckedExport(parts, rules, options);
  }

  get rulesOrigin(): string {
    return this.#rules.origin;
  }

  configText({
    sasToken = this.sasToken,
    settings = {},
  }: Pick<RunRequest, 'sasToken' | 'settings'> = {}): string {
    const url = new URL(this.postgres.through(this.database.url));
    url.password = PASSWORD;
    const { container } = this.container;
    const accountUrl = this.blobs.through(this.container.accountUrl);
    return JSON.stringify({
      version: 1,
      dataDirectory: this.dataDirectory,
      sources: { db: { type: 'postgres', url: url.href, ...this.#options.sourceSettings } },
      destinations: { lake: { type: 'azure-blob', accountUrl, container, auth: { sasToken } } },
      models: { m: { source: 'db', sql: 'select id, name from t order by id', primaryKey: ['id'] } },
      activations: {
        [ACTIVATION]: {
          model: 'm',
          destination: 'lake',
          fileName: '{run}',
          format: { type: 'csv' },
          ...this.#options.settings,
          ...settings,
        },
      },
    });
  }

  activation(request: Pick<RunRequest, 'sasToken' | 'settings'> = {}): ResolvedActivation {
    const { config } = parseConfig({ text: this.configText(request), environment: {} });
    return resolveActivation(config, ACTIVATION);
  }

  /** A run in this process. What it says holds no secret. */
  async run(request: RunRequest = {}): Promise<ExportResult> {
    const { onStep, intercept, sasToken, settings, ...rest } = request;
    const hook: StepHook = async (step, moment) => {
      // What was recovered is visible now, and the run's own files are not yet.
      if (step.startsWith('journal.create') && moment === 'before') await this.oracle.capture();
      await onStep?.(step, moment);
    };
    const result = await exportRun({
      activation: this.activation(request),
      trigger: 'command',
      signal: new AbortController().signal,
      clock: { ...SYSTEM_CLOCK, sleep: ms => SYSTEM_CLOCK.sleep(ms / PAUSE_DIVISOR) },
      intercept: (parts: ProtocolParts) => interceptSteps(intercept?.(parts) ?? parts, hook),
      ...rest,
    });
    this.oracle.checkText(inspect(result, { depth: 12 }), 'the result of a run');
    return result;
  }

  /** A run in this process that must succeed, and everything that holds then. */
  async succeed(request: RunRequest = {}): Promise<ExportResult> {
    const result = await this.run(request);
    const { record, error } = result;
    if (record.state !== 'succeeded')
      throw new Error(`run ${record.run} is ${record.state}: ${record.error?.message}`, { cause: error });
    await this.oracle.checkSettled(record.run);
    return result;
  }

  /** A run that follows at once reports no change. */
  async expectNoChange(): Promise<void> {
    const { record } = await this.succeed();
    const { added, updated, removed, read, unchanged } = record.counts;
    if (record.runType === 'full_only') return;
    const changes = added + updated + removed;
    if (changes > 0 || read !== unchanged) throw new Error(`${changes} changes, and nothing had changed`);
  }

  /** The steps of a run that succeeds, in order. */
  async steps(): Promise<string[]> {
    const steps: string[] = [];
    await this.succeed({
      onStep: (step, moment) => {
        if (moment === 'before') steps.push(step);
      },
    });
    return steps;
  }

  /** A run in a process of its own, which is killed at the point, or by `onStarted`. */
  async runChild(children: ChildRuns, kill?: KillPoint, options?: RunOptions): Promise<ChildOutcome> {
    const job = { config: this.configText(), activation: ACTIVATION, ...(kill && { kill }) };
    const outcome = await children.run(job, options);
    this.oracle.checkText(outcome.output + JSON.stringify(outcome.done ?? ''), 'the output of a process');
    if (outcome.output !== '') throw new Error(`the process said:\n${outcome.output}`);
    await this.oracle.checkVisible();
    return outcome;
  }

  async close(): Promise<void> {
    await Promise.all([this.blobs.close(), this.postgres.close()]);
    await this.#rules.close();
    await Promise.all([this.database.drop(), this.container.drop()]);
    await rm(this.dataDirectory, { recursive: true, force: true });
  }
}

export async function withCheckedExport(
  options: OpenOptions,
  act: (subject: CheckedExport) => Promise<void>,
): Promise<void> {
  const subject = await CheckedExport.open(options);
  try {
    await act(subject);
  } finally {
    await subject.close();
  }
}

/** The signature, as it is and as it stands in URLs. */
function secretsOf(sasToken: string): string[] {
  const signature = new URLSearchParams(sasToken).get('sig')!;
  return [signature, encodeURIComponent(signature)];
}
