import type { SluiceError } from '../errors.ts';
import { unexpectedError } from '../system-errors.ts';
import type { Terminal } from './terminal/terminal.ts';

export interface FailureOptions {
  /** What it happened to, such as the name of an activation. */
  readonly on?: string;
  /** Adds the chain of causes. */
  readonly verbose: boolean;
}

/**
 * `error CODE: what failed; what to do`, on one line unless the error lists several
 * problems.
 */
export function describeFailure(error: unknown, { on, verbose }: FailureOptions): string {
  const failure = unexpectedError(error);
  const listed = failure.code === 'CONFIG_INVALID' && failure.message.includes('\n');
  const where = on === undefined ? '' : `${on}: `;
  const line = listed
    ? `error ${failure.code}: ${where}${failure.message}\n${failure.hint}`
    : `error ${failure.code}: ${where}${oneLine(failure.message)}; ${oneLine(failure.hint)}`;
  return [line, ...(verbose ? causesOf(failure) : [])].join('\n');
}

/** Prints what `describeFailure` says. */
export function noteFailure(terminal: Terminal, error: unknown, options: FailureOptions): void {
  const text = describeFailure(error, options);
  terminal.note(text.replace(/^error \w+/, head => terminal.paintNote('red', head)));
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, ' ');
}

const MAX_CAUSES = 8;

function causesOf(failure: SluiceError): string[] {
  const lines: string[] = [];
  let cause = failure.cause;
  while (cause !== undefined && cause !== null && lines.length < MAX_CAUSES) {
    lines.push(`  caused by ${describeCause(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return oneLine(String(cause));
  const code = 'code' in cause && cause.code !== undefined ? ` ${String(cause.code)}` : '';
  const frames = (cause.stack ?? '').split('\n').filter(line => /^\s+at /.test(line));
  return [`${cause.name}${code}: ${oneLine(cause.message)}`, ...frames].join('\n');
}
