import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs a program with a pseudo-terminal as its own, and hands on what is written to it.
 */
const BRIDGE = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** Far longer than a loaded machine takes. */
const PATIENCE_MS = 120_000;

/** Why there is none, for tests that are skipped then. */
export function noPseudoTerminal(): string | false {
  return spawnSync('python3', ['-c', 'import pty']).status === 0 ? false : 'python3 is not installed';
}

/** A program at a terminal, and the person before it. */
export class PseudoTerminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  /** All that was shown, what was typed included. */
  text = '';
  /** What comes after this was not waited for yet. */
  #seen = 0;
  #look = (): void => {};

  constructor(
    command: readonly string[],
    { cwd, env }: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
  ) {
    this.#child = spawn('python3', ['-c', BRIDGE, ...command], {
      cwd,
      env: { ...process.env, NO_COLOR: '1', TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (piece: string) => {
      this.text += piece;
      this.#look();
    });
    this.#ended = once(this.#child, 'close').then(([code]) => code as number);
  }

  /** Waits until it is shown, after what was waited for before. */
  async shows(text: string): Promise<void> {
    const shown = new Promise<void>(resolve => {
      this.#look = () => {
        const at = this.text.indexOf(text, this.#seen);
        if (at < 0) return;
        this.#seen = at + text.length;
        resolve();
      };
    });
    this.#look();
    const failed = (what: string) => new Error(`${what} ${JSON.stringify(text)}:\n${this.text}`);
    const waiting = new AbortController();
    const ended = this.#ended.then(async () => {
      await delay(0); // what it showed at last comes first
      throw failed('it ended and never showed');
    });
    const late = delay(PATIENCE_MS, undefined, waiting).then(() => {
      throw failed('it has not shown');
    });
    try {
      await Promise.race([shown, ended, late]);
    } finally {
      waiting.abort();
      for (const other of [ended, late]) other.catch(() => {});
    }
  }

  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Waits for a question, and answers it. */
  async answer(question: string, text: string): Promise<void> {
    await this.shows(question);
    this.type(`${text}\r`);
  }

  /** Takes the terminal away from it. */
  async hangUp(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }

  /** Its exit code. */
  end(): Promise<number> {
    return this.#ended;
  }
}
