import type { Column } from '../../row-batch.ts';

/** A statement, and where the user's own texts stand in it, so that an error's position can point into them. */
export interface ModelQuery {
  readonly text: string;
  readonly userTexts: readonly { readonly name: string; readonly text: string; readonly start: number }[];
}

/** The model as the user wrote it, only without a closing semicolon. */
export function modelQuery(sql: string): ModelQuery {
  const text = sql.replace(/[\s;]+$/, '');
  return { text, userTexts: [{ name: 'the model', text, start: 0 }] };
}

/**
 * The statement that a run sends: the wanted columns, and no others, of the model, where the segment's filter
 * holds. The line breaks keep a `--` comment at the end of the user's text from swallowing what follows.
 */
export function exportQuery(sql: string, columns: readonly Column[], where: string | undefined): ModelQuery {
  const model = modelQuery(sql).text;
  const head = `select ${columns.map(column => quoteIdentifier(column.source)).join(', ')} from (\n`;
  const unfiltered = `${head}${model}\n) as model`;
  const userTexts = [{ name: 'the model', text: model, start: head.length }];
  if (where === undefined) return { text: unfiltered, userTexts };
  const filtered = `${unfiltered} where (\n`;
  userTexts.push({ name: 'the filter', text: where, start: filtered.length });
  return { text: `${filtered}${where}\n)`, userTexts };
}

/** `at line 2, column 8 of the model`; `position` counts characters of the statement from 1, as the server does. */
export function placeInUserText(query: ModelQuery, position: number): string | undefined {
  const offset = Array.from(query.text)
    .slice(0, position - 1)
    .join('').length;
  const user = query.userTexts.findLast(
    part => offset >= part.start && offset <= part.start + part.text.length,
  );
  if (user === undefined) return undefined;
  const lines = user.text.slice(0, offset - user.start).split('\n');
  return `at line ${lines.length}, column ${lines[lines.length - 1]!.length + 1} of ${user.name}`;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
