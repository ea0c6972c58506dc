import type { Column } from '../../row-batch.ts';
import { type LexerSettings, statementEnd } from './statement-end.ts';

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
export function modelQuery(sql: string, settings: LexerSettings): ModelQuery {
  const text = withoutClosingSemicolon(sql, settings);
  return { text, userTexts: [{ name: 'the model', text, start: 0 }] };
}

/**
 * The statement that a run sends: the wanted columns, and no others, of the model, where the segment's filter
 * holds. The line breaks keep a `--` comment at the end of the user's text from swallowing what follows.
 */
export function exportQuery(
  sql: string,
  columns: readonly Column[],
  where: string | undefined,
  settings: LexerSettings,
): ModelQuery {
  const model = withoutClosingSemicolon(sql, settings);
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

/** The model without what a text file may begin with, closing semicolons, and what is behind them. */
function withoutClosingSemicolon(sql: string, settings: LexerSettings): string {
  const text = sql.replace(/^\ufeff/, '');
  return text.slice(0, statementEnd(text, settings)).replace(/[ \t\n\r\f\v]+$/, '');
}
