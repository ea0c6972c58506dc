import type { Log, LogFields } from '../../../src/daemon/parts.ts';

export interface LoggedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly message: string;
}

/** Keeps what was logged. */
export class MemoryLog implements Log {
  readonly lines: LoggedLine[] = [];

  debug = (fields: LogFields, message: string): void => this.#add('debug', fields, message);
  info = (fields: LogFields, message: string): void => this.#add('info', fields, message);
  warn = (fields: LogFields, message: string): void => this.#add('warn', fields, message);
  error = (fields: LogFields, message: string): void => this.#add('error', fields, message);

  messages(level?: LoggedLine['level']): string[] {
    return this.lines
      .filter(line => level === undefined || line.level === level)
      .map(({ message }) => message);
  }

  #add(level: LoggedLine['level'], fields: LogFields, message: string): void {
    this.lines.push({ level, fields, message });
  }
}
