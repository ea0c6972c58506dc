/**
 * Runs of one table from source to baseline, without files: what a run of an activation
 * does to find changes.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Baseline } from '../../src/baseline/baseline.ts';
import { DeltaLogWriter } from '../../src/baseline/delta-log.ts';
import { newRowHashing } from '../../src/baseline/row-hashing.ts';
import { Spill } from '../../src/baseline/spill.ts';
import { Change, type RowBatch } from '../../src/row-batch.ts';
import { planDetection, restOf } from '../../src/run/planning/change-detection.ts';
import { PostgresSource } from '../../src/sources/postgres/postgres-source.ts';
import type { ChangeFinder, RowSource, SnapshotMark } from '../../src/sources/source.ts';
import { HashDiff } from '../../src/transforms/hash-diff.ts';
import { planMapping } from '../../src/transforms/map-columns.ts';
import { addressOf } from '../support/postgres-address.ts';
import { fromBatch, type Row } from '../support/row-batches.ts';

/** What is exported of each table. */
export const COLUMNS = ['id', 'v', 'n'];

export type SyncMode = 'upsert' | 'insert' | 'difference';

export interface TableRunsOptions {
  readonly url: string;
  readonly table: string;
  readonly where?: string | undefined;
  readonly syncMode: SyncMode;
  /** Where baselines and logs are kept. */
  readonly folder: string;
  /**
   * How many runs there are between two that compare all rows and prove what was found.
   */
  readonly fullCompareEvery?: number;
  readonly stateMemoryBytes?: number;
  readonly rowSecurity?: 'refuse' | 'apply';
  /** Takes the place of a check: what the source is told that the baseline's mark is. */
  readonly forge?: ((before: SnapshotMark, now: SnapshotMark) => SnapshotMark) | undefined;
}

/** What may be different from run to run. */
export interface RunChanges extends Partial<Pick<TableRunsOptions, 'where' | 'url'>> {
  /** Happens once the snapshot is taken. */
  readonly afterSnapshot?: () => Promise<unknown>;
  /** Happens once it is known how changes are found, before rows are read. */
  readonly beforeRows?: () => Promise<unknown>;
}

export interface TableRun {
  readonly mode: 'full' | 'xmin';
  readonly reason: string | undefined;
  readonly candidates: number | undefined;
  readonly counts: HashDiff['counts'];
  /** Rows as they were sent on, in order of text. */
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
}

export class TableRuns {
  readonly #options: TableRunsOptions;
  readonly #baseline: Baseline;
  #generation = 0;

  private constructor(options: TableRunsOptions, baseline: Baseline) {
    this.#options = options;
    this.#baseline = baseline;
  }

  static async open(options: TableRunsOptions): Promise<TableRuns> {
    await mkdir(options.folder, { recursive: true });
    return new TableRuns(options, await Baseline.open(join(options.folder, 'baseline')));
  }

  async close(): Promise<void> {
    await this.#baseline.close();
    await rm(this.#options.folder, { recursive: true, force: true });
  }

  async run(changed: RunChanges = {}): Promise<TableRun> {
    const { url, table, where, rowSecurity = 'refuse' } = { ...this.#options, ...changed };
    const source = new PostgresSource({
      name: 'db',
      modelName: table,
      address: addressOf(url),
      sql: '',
      table: { schema: 'public', name: table, columns: COLUMNS, ...(where !== undefined && { where }) },
      findsChanges: true,
      applicationName: 'changes',
      connectTimeoutMs: 10_000,
      inactivityTimeoutMs: 60_000,
      statementTimeoutMs: 0,
      lockTimeoutMs: 0,
      rowSecurity,
      fetchSize: 0,
    });
    try {
      return await this.#runFrom(source, changed);
    } finally {
      await source.close();
    }
  }

  async #runFrom(source: PostgresSource, { afterSnapshot, beforeRows }: RunChanges): Promise<TableRun> {
    const {
      syncMode,
      folder,
      table,
      fullCompareEvery = 1_000_000,
      stateMemoryBytes = 2 ** 26,
    } = this.#options;
    const baseline = this.#baseline;
    const local = baseline.state;
    const { columns, primaryKey = [], snapshotTime } = await source.describe();
    await afterSnapshot?.();
    const mapping = planMapping({ modelName: table, columns, mapping: undefined, primaryKey });
    const activation = {
      name: table,
      changeDetection: 'auto' as const,
      fullCompareEvery: { runs: fullCompareEvery, every: 1e12 },
    };
    const plan = { full: local === undefined, keepsState: true, compares: local !== undefined };
    const lending = this.#forged(source);
    const detection = (await planDetection({
      activation,
      source: lending,
      mapping,
      plan,
      local,
      snapshotTime,
    }))!;
    const run = `run-${++this.#generation}`;
    const log = join(folder, run);
    const retained = syncMode === 'difference' ? 'row' : 'nothing';
    const deltaLog = await DeltaLogWriter.create(log, { keepsValues: retained === 'row' });
    const spill = new Spill(join(folder, 'spill'));
    const signal = new AbortController().signal;
    const rest = restOf({ source, mapping }, detection, { signal, onRows: () => {} });
    const hashing = local?.hashing ?? newRowHashing();
    const diff = new HashDiff({
      baseline: local && baseline,
      deltaLog,
      spill,
      hashing,
      rest,
      keyFields: mapping.keyFields,
      keyNames: primaryKey,
      fieldCount: mapping.fields.length,
      retained,
      keysOnly: syncMode === 'insert',
      sendsRemoved: syncMode === 'difference',
      onNullKey: 'fail',
      onDuplicateKey: 'fail',
      stateMemoryBytes,
    });
    await beforeRows?.();
    const rows = rest
      ? lending.changes!.readSince(detection.since!, mapping.fields)
      : source.read(mapping.fields);
    const sent: string[][] = [[], [], []];
    try {
      for await (const batch of diff.transform(rows as AsyncIterable<RowBatch>)) {
        fromBatch(batch, mapping.fields.length).forEach((row, index) => {
          const change = batch.changes![index]!;
          if (change <= Change.removed) sent[change]!.push(textOf(row));
        });
      }
      await source.finish();
      const { counts, digest } = diff;
      await deltaLog.seal({});
      const count = counts.added + (local?.count ?? 0) - counts.removed;
      await baseline.apply(
        log,
        {
          generation: this.#generation,
          run,
          count,
          digest,
          hashing,
          identity: '',
          retained,
          ...(detection.next && { changes: detection.next }),
        },
        { replace: local === undefined },
      );
      const [added, updated, removed] = sent.map(texts => texts.sort());
      const { mode, reason } = detection;
      return {
        mode,
        reason,
        candidates: diff.candidates,
        counts,
        added: added!,
        updated: updated!,
        removed: removed!,
      };
    } finally {
      await deltaLog.close().catch(() => {});
      await spill.remove();
      await rm(log, { force: true });
    }
  }

  #forged(source: PostgresSource): Pick<RowSource, 'changes'> {
    const { forge } = this.#options;
    const changes = source.changes!;
    if (forge === undefined) return source;
    const forged: ChangeFinder = {
      mark: wanted => changes.mark(wanted),
      obstacle: (before, now) => changes.obstacle(forge(before, now), now),
      readSince: (mark, fields) => changes.readSince(forge(mark, mark), fields),
      count: () => changes.count(),
      check: () => changes.check(),
    };
    return { changes: forged };
  }
}

export function textOf(row: Row): string {
  return JSON.stringify(row);
}
