import type { Log, LogFields } from '../../../src/daemon/parts.ts';

export interface LoggedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly message: string;
}

/** Keeps what was logged, and lets tests wait for it. */
export class MemoryLog implements Log {
  readonly lines: LoggedLine[] = [];
  readonly #watchers = new Set<() => void>();

  debug = (fields: LogFields, message: string): void => this.#add('debug', fields, message);
  info = (fields: LogFields, message: string): void => this.#add('info', fields, message);
  warn = (fields: LogFields, message: string): void => this.#add('warn', fields, message);
  error = (fields: LogFields, message: string): void => this.#add('error', fields, message);

  messages(level?: LoggedLine['level']): string[] {
    return this.lines
      .filter(line => level === undefined || line.level === level)
      .map(({ message }) => message);
  }

  /** The first line that fits, as soon as there is one. */
  until(fits: (line: LoggedLine) => boolean): Promise<LoggedLine> {
    return new Promise(resolve => {
      const look = (): void => {
        const found = this.lines.find(fits);
        if (found === undefined) return;
        this.#watchers.delete(look);
        resolve(found);
      };
      this.#watchers.add(look);
      look();
    });
  }

  #add(level: LoggedLine['level'], fields: LogFields, message: string): void {
    this.lines.push({ level, fields, message });
    for (const look of [...this.#watchers]) look();
  }
}
