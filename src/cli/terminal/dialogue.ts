import { createInterface, type Interface } from 'node:readline/promises';
import { SluiceError } from '../../errors.ts';

/** Questions to the person at the terminal. */
export class Dialogue {
  readonly #lines: Interface;
  readonly #closed = new AbortController();

  /** Whether somebody can answer. */
  static get isPossible(): boolean {
    return process.stdin.isTTY === true && process.stderr.isTTY === true;
  }

  constructor() {
    this.#lines = createInterface({ input: process.stdin, output: process.stderr });
    // Ctrl-C, Ctrl-D, or a terminal that is gone: no question would ever be answered.
    this.#lines.once('close', () => this.#closed.abort());
  }

  /** Aborts when no more can be asked. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * The answer without spaces around it; `fallback`, which the question shows, where it
   * is empty. Rejects with CANCELLED where there will be none.
   */
  async ask(question: string, fallback?: string): Promise<string> {
    const shown = fallback === undefined ? question : `${question} [${fallback}]`;
    try {
      const answer = await this.#lines.question(`${shown} `, { signal: this.signal });
      return answer.trim() || (fallback ?? '');
    } catch (cause) {
      if (!this.signal.aborted) throw cause;
      throw new SluiceError('CANCELLED', 'there was no answer: nothing was done', { cause });
    }
  }

  close(): void {
    this.#lines.close();
  }
}
