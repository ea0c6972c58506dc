/**
 * As much of PostgreSQL's lexer (src/backend/parser/scan.l) as tells where a statement
 * ends.
 */

export interface LexerSettings {
  /**
   * `standard_conforming_strings` of the session: off, a backslash escapes in every
   * string.
   */
  readonly standardStrings: boolean;
}

const IDENTIFIER_START = String.raw`A-Za-z_\u0080-\u{10ffff}`;
const sticky = (source: string): RegExp => new RegExp(source, 'suy');

const SPACE = sticky(String.raw`[ \t\n\r\f\v]+`);
const LINE_COMMENT = sticky(String.raw`--[^\n\r]*`);
const COMMENT_EDGE = /\/\*|\*\//g;
/** Prefixes of strings and of quoted names belong to what follows. */
const QUOTE = sticky(`(?:[eE]|[bBxXnN]|[uU]&)?'|(?:[uU]&)?"`);
const WORD = sticky(`[${IDENTIFIER_START}][${IDENTIFIER_START}0-9$]*`);
const DOLLAR_QUOTE = sticky(String.raw`\$(?:[${IDENTIFIER_START}][${IDENTIFIER_START}0-9]*)?\$`);
const NAME_REST = /(?:[^"]|"")*(?:"|$)/y;
const STRING_REST = /(?:[^']|'')*(?:'|$)/y;
const ESCAPED_REST = /(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/y;
/** A string goes on behind white space with a line break in it. */
const CONTINUED = sticky(String.raw`(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]+|--[^\n\r]*[\n\r])*'`);

/**
 * Where the statement ends: before the semicolons behind which there are only white space
 * and comments, else with the text.
 */
export function statementEnd(sql: string, settings: LexerSettings): number {
  let semicolon: number | undefined;
  for (let at = 0; at < sql.length; ) {
    const blank = endOfBlank(sql, at);
    if (blank > at) {
      at = blank;
    } else if (sql[at] === ';') {
      semicolon ??= at;
      at += 1;
    } else {
      semicolon = undefined;
      at = endOfToken(sql, at, settings);
    }
  }
  return semicolon ?? sql.length;
}

/** Behind the white space or the comment that begins here, or here. */
export function endOfBlank(sql: string, at: number): number {
  return (
    endOf(SPACE, sql, at) ??
    endOf(LINE_COMMENT, sql, at) ??
    (sql.startsWith('/*', at) ? endOfComment(sql, at) : at)
  );
}

/**
 * Comments nest. One that never ends is an error of the server's to report, and stays.
 */
function endOfComment(sql: string, at: number): number {
  let depth = 0;
  COMMENT_EDGE.lastIndex = at;
  for (let edge = COMMENT_EDGE.exec(sql); edge !== null; edge = COMMENT_EDGE.exec(sql)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  return at;
}

/** Behind the token that begins here. */
export function endOfToken(sql: string, at: number, settings: LexerSettings): number {
  const quote = endOf(QUOTE, sql, at);
  if (quote !== undefined) return endOfQuoted(sql, at, quote, settings);
  const word = endOf(WORD, sql, at);
  if (word !== undefined) return word;
  const opened = endOf(DOLLAR_QUOTE, sql, at);
  // An operator is passed one character at a time, since a comment may begin within it.
  if (opened === undefined) return at + 1;
  const delimiter = sql.slice(at, opened);
  const closed = sql.indexOf(delimiter, opened);
  return closed < 0 ? sql.length : closed + delimiter.length;
}

function endOfQuoted(sql: string, at: number, inside: number, { standardStrings }: LexerSettings): number {
  if (sql[inside - 1] === '"') return endOf(NAME_REST, sql, inside)!;
  const prefix = sql[at]!.toLowerCase();
  const isEscaped = prefix === 'e' || (!standardStrings && (prefix === "'" || prefix === 'n'));
  const rest = isEscaped ? ESCAPED_REST : STRING_REST;
  let end = endOf(rest, sql, inside)!;
  for (let more = endOf(CONTINUED, sql, end); more !== undefined; more = endOf(CONTINUED, sql, end)) {
    end = endOf(rest, sql, more)!;
  }
  return end;
}

function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
