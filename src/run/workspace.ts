import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Baseline } from '../baseline/baseline.ts';
import type { Journal } from './journal.ts';
import type { RunRecord } from './run-record.ts';
import { StateFolder } from './state-folder.ts';

/** What an activation has on local disk. Opening it locks it: one process at a time. */
export class Workspace {
  readonly baseline: Baseline;
  readonly journal: Journal;
  readonly #folder: StateFolder;
  readonly #history: string;

  private constructor(baseline: Baseline, folder: StateFolder) {
    this.baseline = baseline;
    this.journal = folder.journal;
    this.#folder = folder;
    this.#history = folder.historyPath;
  }

  static async open(dataDirectory: string, activation: string): Promise<Workspace> {
    const folder = await StateFolder.open(dataDirectory, activation);
    try {
      return new Workspace(await folder.openBaseline(), folder);
    } catch (error) {
      await folder.close();
      throw error;
    }
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
    try {
      await this.baseline.close();
    } finally {
      await this.#folder.close();
    }
  }
}
