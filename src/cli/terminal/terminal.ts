import { styleText } from 'node:util';
import { Redactor } from '../../config/secrets.ts';
import { wrapped } from './wrap.ts';

/** What is used of `process.stdout` and `process.stderr`. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  hasColors?(): boolean;
  write(text: string, done?: () => void): boolean;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/**
 * Newer versions of Node would else look at standard output, whichever stream the text is
 * for.
 */
const DECIDED = { validateStream: false };

const ERASE_LINE = '\r\u001b[2K';
const DEFAULT_COLUMNS = 80;

/**
 * All that the command prints goes through here: secrets are taken out, control
 * characters that came with somebody's data are made visible, and the one live line is
 * erased before anything else is written.
 */
export class Terminal {
  /** Until a configuration is loaded it knows no secret, only what secrets look like. */
  redactor = new Redactor();
  /**
   * Whether only results that were asked for, warnings and errors are printed
   * (`--quiet`).
   */
  isQuiet = false;
  /** Whether streams that take colours get them (`--no-color`). */
  mayColor = true;
  readonly #out: TerminalStream;
  readonly #err: TerminalStream;
  #status = '';
  #statusColumns = 0;

  constructor(out: TerminalStream, err: TerminalStream) {
    this.#out = out;
    this.#err = err;
  }

  /** Whether `status` shows anything. */
  get isLive(): boolean {
    return this.#err.isTTY === true;
  }

  /** Width of the live line. */
  get columns(): number {
    return this.#err.columns || DEFAULT_COLUMNS;
  }

  /** Width of standard output, where that is a terminal. */
  get outColumns(): number | undefined {
    return this.#out.isTTY === true ? this.#out.columns || DEFAULT_COLUMNS : undefined;
  }

  /**
   * A result: one or more lines on standard output. With `hang` they are prose, which is
   * broken between words where the terminal is too narrow, its further lines indented by
   * so many columns.
   */
  print(text: string, hang?: number): void {
    this.#eraseStatus();
    const safe = this.#safe(text, this.#out);
    const columns = hang === undefined ? undefined : this.outColumns;
    this.#out.write(`${columns === undefined ? safe : wrapped(safe, columns, hang)}\n`);
  }

  /**
   * One JSON document on a line of standard output. Secrets are taken out of its texts,
   * never out of its syntax.
   */
  printJson(value: unknown): void {
    this.#eraseStatus();
    this.#out.write(`${JSON.stringify(this.redactor.cleanValue(value))}\n`);
  }

  /**
   * An error, a warning, a line of progress: one or more lines on standard error. Only a
   * terminal breaks them, and only between words; what reads them elsewhere relies on one
   * line each.
   */
  note(text: string): void {
    const status = this.#status;
    this.#eraseStatus();
    const safe = this.#safe(text, this.#err);
    this.#err.write(`${this.isLive ? wrapped(safe, this.columns) : safe}\n`);
    this.status(status);
  }

  /** What may be done next, for a person at the terminal. */
  hint(text: string): void {
    if (this.isLive && !this.isQuiet) this.note(this.paintNote('dim', text));
  }

  /** Replaces the live line, where standard error is a terminal; '' takes it away. */
  status(text: string): void {
    if (!this.isLive) return;
    if (text === '') {
      this.#eraseStatus();
      return;
    }
    const line = cut(this.#safe(text, this.#err), this.columns - 1);
    this.#err.write(`${this.#statusErasure()}${line}`);
    this.#status = text;
    this.#statusColumns = line.length;
  }

  /**
   * Colours what `print` will write; plain where standard output takes no colours (no
   * terminal, NO_COLOR, --no-color).
   */
  paint(style: Style, text: string): string {
    return this.#hasColors(this.#out) ? styleText(style, text, DECIDED) : text;
  }

  /** As `paint`, for `note`. */
  paintNote(style: Style, text: string): string {
    return this.#hasColors(this.#err) ? styleText(style, text, DECIDED) : text;
  }

  /**
   * For texts that are cut or aligned before they are printed: half a secret would not be
   * found later.
   */
  clean(text: string): string {
    return this.redactor.clean(text);
  }

  async flush(): Promise<void> {
    this.status('');
    await Promise.all([this.#out, this.#err].map(flushed));
  }

  #eraseStatus(): void {
    if (this.#status === '') return;
    this.#err.write(this.#statusErasure());
    this.#status = '';
  }

  /** A terminal that has become narrower has broken the line into several. */
  #statusErasure(): string {
    if (this.#status === '') return '';
    const above = Math.ceil(this.#statusColumns / this.columns) - 1;
    return above > 0 ? `\r\u001b[${above}A\u001b[J` : ERASE_LINE;
  }

  #safe(text: string, stream: TerminalStream): string {
    return visible(this.redactor.clean(text), this.#hasColors(stream));
  }

  #hasColors(stream: TerminalStream): boolean {
    // Node looks at NO_COLOR, FORCE_COLOR and TERM for this.
    return this.mayColor && stream.isTTY === true && stream.hasColors?.() === true;
  }
}

/** Control characters could move the cursor or rename the window; colours do no harm. */
function visible(text: string, keepsColors: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/\u001b\[[0-9;]*m|[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, match =>
    match.length > 1 && keepsColors ? match : escaped(match),
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '\t': '\\t', '\r': '\\r', '\n': '\\n' };

/** Control characters as escapes, on one line. */
export function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, character => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return ESCAPES[character] ?? `\\u${code}`;
  });
}

/** Takes a line without colours. */
function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

function flushed(stream: TerminalStream): Promise<void> {
  return new Promise(resolve => {
    stream.write('', () => resolve());
  });
}
