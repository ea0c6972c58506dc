import type { RecentRun } from '../../../src/daemon/operations.ts';
import { NO_COUNTS, type RunRecord } from '../../../src/history/run-record.ts';
import type { MemoryOperations } from '../../daemon/api/support/memory-operations.ts';

const REMOVALS = 'the run would remove 4120 of 9800 rows of the baseline (42.0%), and removedRowsOver is 20%';

/** What became of runs, for the pages that show it. */
export class Scenes {
  readonly #operations: MemoryOperations;

  constructor(operations: MemoryOperations) {
    this.#operations = operations;
  }

  async #run(activation: string): Promise<string> {
    return (await this.#operations.trigger({ activation, trigger: 'http' })).record.run;
  }

  async succeeded(activation: string, written = 1540): Promise<string> {
    const run = await this.#run(activation);
    this.#operations.become(run, 'succeeded', {
      generation: 42,
      previousGeneration: 41,
      runType: 'full_then_delta',
      syncMode: 'difference',
      counts: {
        ...NO_COUNTS,
        read: 1_000_000,
        added: written - 340,
        updated: 340,
        unchanged: 998_460,
        written,
        bytes: written * 59,
      },
      files: ['added', 'updated', 'removed'].map(change => ({
        name: `crm/2025/04/14/${activation}_${change}.csv`,
        change: change as 'added',
        part: 1,
        rows: change === 'removed' ? 0 : 700,
        bytes: 90_412,
        md5: '5d41402abc4b2a76b9719d911017c592',
        sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        etag: '0x8DD7B0C1F2A3B4C',
      })),
    });
    return run;
  }

  async failed(activation: string): Promise<string> {
    const run = await this.#run(activation);
    this.#operations.become(run, 'failed', {
      error: {
        code: 'SOURCE_CONNECT_FAILED',
        category: 'connection',
        stage: 'source',
        message: 'the database warehouse at db.example:5432 refuses the connection (ECONNREFUSED)',
        hint: 'look whether the server runs and listens on that port, and whether a firewall is between',
        retryable: true,
      },
    });
    return run;
  }

  async held(activation: string): Promise<string> {
    const run = await this.#run(activation);
    this.#operations.become(run, 'held', {
      runType: 'full_then_delta',
      syncMode: 'difference',
      reason: 'REMOVALS_OVER',
      release: `if that is meant, repeat it with --allow-removals`,
      counts: { ...NO_COUNTS, read: 5680, removed: 4120, unchanged: 5680 },
      warnings: [{ code: 'HELD', message: REMOVALS }],
      sample: {
        added: [],
        updated: [],
        removed: [{ key: [{ column: 'id', value: '4711' }] }],
        gaps: [],
      },
    });
    return run;
  }

  async running(activation: string): Promise<string> {
    const run = await this.#run(activation);
    this.#operations.become(run, 'reading');
    this.#operations.progress(run, 250_000);
    return run;
  }

  /** Runs of the days before. */
  past(activation: string, count = 30): void {
    const recent = Array.from({ length: count }, (_, index): RecentRun => {
      const startedAt = new Date(Date.now() - (count - index) * 86_400_000).toISOString();
      const written = Math.round(900 + 700 * Math.sin(index / 2.3) + index * 12);
      const state: RunRecord['state'] = index === 11 ? 'failed' : index === 20 ? 'cancelled' : 'succeeded';
      const wrote = state === 'succeeded' ? written : 0;
      return {
        run: `20250414-0700${String(index).padStart(2, '0')}-123-k3f9ab`,
        state,
        startedAt,
        seconds: 2 + (index % 7) / 3,
        added: wrote,
        updated: 0,
        removed: 0,
        written: wrote,
        bytes: wrote * 59,
      };
    });
    this.#operations.amend(activation, { recent, nextRunAt: new Date(Date.now() + 5_400_000).toISOString() });
  }
}
