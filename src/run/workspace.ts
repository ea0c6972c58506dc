import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Baseline } from '../baseline/baseline.ts';
import { SluiceError } from '../errors.ts';
import { DiskJournal, type Journal } from './journal.ts';
import type { RunRecord } from './run-record.ts';

/** What an activation has on local disk. Opening it locks it: one process at a time. */
export class Workspace {
  readonly baseline: Baseline;
  readonly journal: Journal;
  readonly #history: string;

  private constructor(baseline: Baseline, journal: Journal, history: string) {
    this.baseline = baseline;
    this.journal = journal;
    this.#history = history;
  }

  static async open(dataDirectory: string, activation: string): Promise<Workspace> {
    const folder = join(dataDirectory, 'activations', activation);
    const history = join(folder, 'history');
    try {
      await mkdir(history, { recursive: true, mode: 0o700 });
    } catch (cause) {
      const message = `the data directory ${dataDirectory} cannot be used: ${(cause as Error).message}`;
      throw new SluiceError('STATE_WRITE_FAILED', message, { cause, stage: 'state' });
    }
    const baseline = await Baseline.open(join(folder, 'baseline'));
    return new Workspace(baseline, new DiskJournal(join(folder, 'runs')), history);
  }

  /** Keeps the record of a run. */
  async remember(record: RunRecord): Promise<void> {
    await writeFile(join(this.#history, `${record.run}.json`), `${JSON.stringify(record)}\n`, {
      mode: 0o600,
    });
  }

  async recall(run: string): Promise<RunRecord | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#history, `${run}.json`), 'utf8')) as RunRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.baseline.close();
  }
}
