/**
 * One line of the log for people: time, level, message, then the fields; an error on
 * lines of its own.
 */

interface LoggedLine {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly error?: unknown;
  readonly [field: string]: unknown;
}

const COLOURS: Readonly<Record<string, string>> = {
  debug: '\u001b[2m',
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};
const DIM = '\u001b[2m';
const PLAIN = '\u001b[0m';

export function prettyLine(line: LoggedLine, { colors }: { readonly colors: boolean }): string {
  const { time, level, message, error, ...fields } = line;
  const painted = (text: string, colour: string | undefined): string =>
    colors && colour !== undefined ? `${colour}${text}${PLAIN}` : text;
  const shown = Object.entries(fields).map(([key, value]) => `${visible(key)}=${fieldText(value)}`);
  const head = [
    painted(time.slice(0, 23).replace('T', ' '), DIM),
    painted(level.toUpperCase().padEnd(5), COLOURS[level]),
    visible(message),
    ...(shown.length === 0 ? [] : [painted(shown.join(' '), DIM)]),
  ].join(' ');
  return `${[head, ...errorLines(error)].join('\n')}\n`;
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text)
    ? visible(text)
    : visible(typeof value === 'string' ? JSON.stringify(text) : text);
}

function errorLines(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { code, message, hint, causes, stack } = error as Record<string, unknown>;
  const text = `${code === undefined ? '' : `${String(code)}: `}${String(message)}`;
  // It lists problems, one a line, in words of ours.
  const lines = code === 'CONFIG_INVALID' ? text.split('\n') : [text];
  if (typeof hint === 'string') lines.push(`hint: ${hint}`);
  if (Array.isArray(causes)) for (const cause of causes) lines.push(`cause: ${String(cause)}`);
  if (typeof stack === 'string')
    lines.push(
      ...stack
        .split('\n')
        .slice(1)
        .map(line => line.trim()),
    );
  return lines.map(line => `    ${visible(line)}`);
}

/**
 * What a source or a receiver says must neither begin a line of the log nor move the
 * cursor of a terminal.
 */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, character => {
    const code = character.codePointAt(0)!.toString(16).padStart(4, '0');
    return character === '\n' ? '\\n' : character === '\t' ? '\\t' : `\\u${code}`;
  });
}
