import type { Column } from '../../row-batch.ts';

interface UserText {
  readonly name: 'the model' | 'the filter';
  readonly text: string;
  /** Where it begins in the statement. */
  readonly start: number;
}

/** A statement, and where the user's own texts stand in it, so that an error's position can point into them. */
export interface ModelQuery {
  readonly text: string;
  readonly userTexts: readonly UserText[];
}

/** A place in one of the user's texts; line and column count from 1, columns in characters. */
export interface Place {
  readonly name: UserText['name'];
  readonly line: number;
  readonly column: number;
}

/** The model as the user wrote it, only without a closing semicolon. */
export function modelQuery(sql: string): ModelQuery {
  const text = withoutClosingSemicolon(sql);
  return { text, userTexts: [{ name: 'the model', text, start: 0 }] };
}

/**
 * The statement that a run sends: the wanted columns, and no others, of the model, where the segment's filter
 * holds. The line breaks keep a `--` comment at the end of the user's text from swallowing what follows.
 */
export function exportQuery(sql: string, columns: readonly Column[], where: string | undefined): ModelQuery {
  const model = withoutClosingSemicolon(sql);
  const head = `select ${columns.map(column => quoteIdentifier(column.source)).join(', ')} from (\n`;
  const unfiltered = `${head}${model}\n) as model`;
  const userTexts: UserText[] = [{ name: 'the model', text: model, start: head.length }];
  if (where === undefined) return { text: unfiltered, userTexts };
  const filtered = `${unfiltered} where (\n`;
  userTexts.push({ name: 'the filter', text: where, start: filtered.length });
  return { text: `${filtered}${where}\n)`, userTexts };
}

/**
 * `position` counts characters of the statement from 1, as the server does. What the server finds wrong right behind
 * a user's text, such as an operand that is missing, counts as its end.
 */
export function findPlace(query: ModelQuery, position: number): Place | undefined {
  const offset = Array.from(query.text)
    .slice(0, position - 1)
    .join('').length;
  const user = query.userTexts.findLast(part => offset >= part.start);
  if (user === undefined) return undefined;
  const lines = user.text.slice(0, offset - user.start).split('\n');
  return { name: user.name, line: lines.length, column: Array.from(lines.at(-1)!).length + 1 };
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Strings, quoted names, dollar-quoted strings and comments, in which a semicolon is a character like others. */
const TOKEN = /[eE]'(?:[^'\\]|\\.|'')*'|'[^']*'|"[^"]*"|\$(\w*)\$.*?\$\1\$|--[^\n]*|\/\*.*?\*\/|[\w$]+|./gs;

/** Drops semicolons behind which there are only white space and comments, and what is behind them. */
function withoutClosingSemicolon(sql: string): string {
  let end = sql.length;
  let closing = false;
  for (const { 0: token, index } of sql.matchAll(TOKEN)) {
    if (token === ';') {
      if (!closing) end = index;
      closing = true;
    } else if (!/^(?:\s|--|\/\*)/.test(token)) {
      closing = false;
    }
  }
  return (closing ? sql.slice(0, end) : sql).trimEnd();
}
