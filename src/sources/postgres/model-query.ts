import type { Column } from '../../row-batch.ts';
import { numberParameters } from '../../sql/sql-parameters.ts';
import { type LexerSettings, statementEnd } from '../../sql/statement-end.ts';

interface UserText {
  readonly name: 'the model' | 'the filter';
  readonly text: string;
  /** Where it begins in the statement. */
  readonly start: number;
}

/**
 * A statement, and where the user's own texts stand in it, so that an error's position
 * can point into them.
 */
export interface ModelQuery {
  readonly text: string;
  readonly userTexts: readonly UserText[];
  /** Names of what `$1` and so on stand for. */
  readonly parameters?: readonly string[];
  /** Present where `:name` in the user's texts is a parameter. */
  readonly parameterLexer?: LexerSettings | undefined;
}

/**
 * A place in one of the user's texts; line and column count from 1, columns in
 * characters.
 */
export interface Place {
  readonly name: UserText['name'];
  readonly line: number;
  readonly column: number;
}

/** A table in the place of a query. */
export interface ModelTable {
  readonly schema: string;
  readonly name: string;
  /** Without it all of them. */
  readonly columns?: readonly string[];
  readonly where?: string;
}

/**
 * The model as the user wrote it, only without a closing semicolon, and with numbers in
 * the place of parameters where it is `parameterized`.
 */
export function modelQuery(sql: string, settings: LexerSettings, { parameterized = false } = {}): ModelQuery {
  const plain = withoutClosingSemicolon(sql, settings);
  if (!parameterized) return { text: plain, userTexts: [{ name: 'the model', text: plain, start: 0 }] };
  const { text, names } = numberParameters(plain, settings, []);
  return {
    text,
    userTexts: [{ name: 'the model', text, start: 0 }],
    parameters: names,
    parameterLexer: settings,
  };
}

/** The transaction that has written a row, as a further column of a table. */
const WRITTEN_BY = '"sluice xmin"';

/**
 * The query that a table stands for; `withWriter` adds who has written each row,
 * `condition` leaves only rows of which it holds.
 */
export function tableQuery(
  table: ModelTable,
  {
    withWriter = false,
    condition,
    parameterLexer,
  }: {
    readonly withWriter?: boolean;
    readonly condition?: string | undefined;
    readonly parameterLexer?: LexerSettings | undefined;
  } = {},
): ModelQuery {
  const wanted = table.columns?.map(quoteIdentifier).join(', ') ?? '*';
  const columns = withWriter ? `${wanted}, xmin as ${WRITTEN_BY}` : wanted;
  const text = `select ${columns} from ${quotedTable(table)}`;
  const unfiltered: ModelQuery = { text, userTexts: [], ...(parameterLexer && { parameterLexer }) };
  const query = table.where === undefined ? unfiltered : filtered(unfiltered, table.where);
  if (condition === undefined) return query;
  return { ...query, text: `${query.text} ${table.where === undefined ? 'where' : 'and'} ${condition}` };
}

export function quotedTable({ schema, name }: ModelTable): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/**
 * The statement that a run sends: the wanted columns, and no others, of the model, where
 * the segment's filter holds. With `horizon` only rows that were written by that
 * transaction or a later one; the model has to say who wrote them then.
 */
export function exportQuery(
  model: ModelQuery,
  columns: readonly Column[],
  where: string | undefined,
  horizon?: string,
): ModelQuery {
  const head = `select ${columns.map(column => quoteIdentifier(column.source)).join(', ')} from (\n`;
  const unfiltered: ModelQuery = {
    ...model,
    text: `${head}${model.text}\n) as model`,
    userTexts: model.userTexts.map(user => ({ ...user, start: user.start + head.length })),
  };
  const query = where === undefined ? unfiltered : filtered(unfiltered, where);
  if (horizon === undefined) return query;
  const joined = where === undefined ? 'where' : 'and';
  return { ...query, text: `${query.text} ${joined} ${writtenSince(horizon)}` };
}

/**
 * Rows with equal values in these columns one after the other. By texts, since what is
 * equal otherwise may be written differently (1.0 and 1.00), and not every type has an
 * order; byte by byte, since two texts may be equal in a collation.
 */
export function grouped(query: ModelQuery, columns: readonly Column[]): ModelQuery {
  if (columns.length === 0) return query;
  const order = columns.map(
    ({ source }) => `${quoteIdentifier(source)}::pg_catalog.text collate pg_catalog."C"`,
  );
  return { ...query, text: `${query.text} order by ${order.join(', ')}` };
}

/**
 * Ages are compared, since numbers of transactions go round in a circle; that of the
 * horizon is computed once.
 */
function writtenSince(horizon: string): string {
  const inCircle = BigInt.asUintN(32, BigInt(horizon));
  return `pg_catalog.age(${WRITTEN_BY}) operator(pg_catalog.<=) (select pg_catalog.age('${inCircle}'::pg_catalog.xid))`;
}

/**
 * The line breaks keep a `--` comment at the end of the user's text from swallowing what
 * follows.
 */
function filtered(query: ModelQuery, condition: string): ModelQuery {
  const { text, userTexts, parameters = [], parameterLexer } = query;
  const numbered = parameterLexer && numberParameters(condition, parameterLexer, parameters);
  const where = numbered?.text ?? condition;
  const head = `${text} where (\n`;
  return {
    ...query,
    text: `${head}${where}\n)`,
    userTexts: [...userTexts, { name: 'the filter', text: where, start: head.length }],
    ...(numbered && { parameters: numbered.names }),
  };
}

/**
 * `position` counts characters of the statement from 1, as the server does. What the
 * server finds wrong right behind a user's text, such as an operand that is missing,
 * counts as its end.
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

/**
 * The model without what a text file may begin with, closing semicolons, and what is
 * behind them.
 */
function withoutClosingSemicolon(sql: string, settings: LexerSettings): string {
  const text = sql.replace(/^\ufeff/, '');
  return text.slice(0, statementEnd(text, settings)).replace(/[ \t\n\r\f\v]+$/, '');
}
