import type { RunningCommand } from '../../cli/support.ts';
import { ServeProcess } from './serve-process.ts';

/**
 * A daemon that is killed again and again, each time followed by another: whoever asks is
 * given the one that serves.
 */
export class ReplacedDaemon {
  readonly #folder: string;
  #serving: Promise<ServeProcess>;
  #serve: (daemon: ServeProcess) => void = () => {};
  #hasServed = false;
  #isClosed = false;
  #command: RunningCommand | undefined;
  #log = '';
  #startMs = 500;

  constructor(folder: string) {
    this.#folder = folder;
    this.#serving = this.#nobody();
  }

  /** The one that serves now, or the next that does. */
  get serving(): Promise<ServeProcess> {
    return this.#serving;
  }

  /** What a start takes, of late. */
  get startMs(): number {
    return this.#startMs;
  }

  /** What all of them have logged. */
  get log(): string {
    return this.#log + this.#logOf(this.#command);
  }

  start(): { readonly command: RunningCommand; readonly ready: Promise<ServeProcess> } {
    if (this.#isClosed) throw new Error('no more daemons');
    const { command, ready } = ServeProcess.begin(this.#folder);
    this.#command = command;
    const begun = performance.now();
    ready.then(
      daemon => {
        if (this.#command !== command) return;
        this.#startMs = 0.5 * this.#startMs + 0.5 * (performance.now() - begun);
        this.#hasServed = true;
        this.#serve(daemon);
      },
      // Killed before: who waits goes on waiting for the next.
      () => {},
    );
    return { command, ready };
  }

  async kill(): Promise<void> {
    const command = this.#command;
    this.#command = undefined;
    if (this.#hasServed) this.#serving = this.#nobody();
    this.#hasServed = false;
    command?.kill('SIGKILL');
    await command?.ended;
    this.#log += this.#logOf(command);
  }

  close(): void {
    this.#isClosed = true;
    this.#command?.kill('SIGKILL');
  }

  #nobody(): Promise<ServeProcess> {
    return new Promise(resolve => (this.#serve = resolve));
  }

  #logOf(command: RunningCommand | undefined): string {
    if (command === undefined) return '';
    const { stdout, stderr } = command.printed();
    return `--- ${command.pid}\n${stdout}${stderr}`;
  }
}
