import { constants } from 'node:fs';
import { access, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DaemonClock } from '../clock.ts';
import type { WriteWatch } from './parts.ts';

/**
 * More than what is left of a block that is begun, and enough for what the daemon writes
 * at once.
 */
const PROBE_BYTES = 64 * 1024;

interface Problem {
  readonly what: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/**
 * What the daemon could not write when it last tried, until that, or a probe in its
 * place, can be written again.
 */
export class WriteProblems implements WriteWatch {
  readonly #clock: DaemonClock;
  readonly #problems = new Map<string, Problem>();

  constructor(clock: DaemonClock) {
    this.#clock = clock;
  }

  /** One line each. */
  get lines(): readonly string[] {
    return Array.from(
      this.#problems,
      ([path, { what, since }]) =>
        `${what} (${path}), since ${since}; free disk space or fix the data directory`,
    );
  }

  wrote(path: string): void {
    this.#problems.delete(path);
  }

  failed(path: string, { message: what }: Error): void {
    const since = this.#problems.get(path)?.since ?? this.#clock.now().toISOString();
    this.#problems.set(path, { what, since });
  }

  /**
   * Finds out what can be written again: a daemon that has nothing to do would tell of a
   * fixed disk forever.
   */
  async lookAgain(): Promise<void> {
    for (const [path, problem] of [...this.#problems]) {
      const isMended = await canBeWritten(path);
      if (isMended && this.#problems.get(path) === problem) this.#problems.delete(path);
    }
  }
}

async function canBeWritten(path: string): Promise<boolean> {
  const probe = join(dirname(path), 'write-probe.tmp');
  try {
    const file = await open(probe, 'w', 0o600);
    try {
      await file.writeFile(Buffer.alloc(PROBE_BYTES));
      await file.sync();
    } finally {
      await file.close();
      await rm(probe, { force: true });
    }
    await access(path, constants.W_OK);
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    // It may not have been made yet.
    return code === 'ENOENT' && syscall === 'access';
  }
}
