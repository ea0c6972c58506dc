import { endOfBlank, endOfToken, type LexerSettings } from './statement-end.ts';

/** `:name` in a text of SQL. */
export interface SqlParameter {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const NAME = /:([A-Za-z_][A-Za-z0-9_]*)/y;

/**
 * Parameters of a text, in the order in which they stand: outside of quotes, comments,
 * casts (`::`) and subscripts, where a colon means something else.
 */
export function findParameters(sql: string, settings: LexerSettings): SqlParameter[] {
  const found: SqlParameter[] = [];
  /** Brackets that are open: what is in each. */
  const brackets: ('subscript' | 'elements')[] = [];
  let before = '';
  for (let at = 0; at < sql.length; ) {
    const blank = endOfBlank(sql, at);
    if (blank > at) {
      at = blank;
      continue;
    }
    let end = endOfToken(sql, at, settings);
    NAME.lastIndex = at;
    if (sql.startsWith('::', at)) end = at + 2;
    else if (sql[at] === '[') brackets.push(isOfElements(before, brackets.at(-1)) ? 'elements' : 'subscript');
    else if (sql[at] === ']') brackets.pop();
    else if (!brackets.includes('subscript')) {
      const [text, name] = NAME.exec(sql) ?? [];
      if (text !== undefined && name !== undefined) {
        end = at + text.length;
        found.push({ name, start: at, end });
      }
    }
    before = sql.slice(at, end);
    at = end;
  }
  return found;
}

/**
 * Names of all parameters of these texts, each once, as sessions read them that keep to
 * the standard.
 */
export function parameterNames(texts: readonly string[]): string[] {
  const found = texts.flatMap(text => findParameters(text, { standardStrings: true }));
  return [...new Set(found.map(({ name }) => name))];
}

/** Elements follow the word `array`, and in a list of arrays each other. */
function isOfElements(before: string, around: 'subscript' | 'elements' | undefined): boolean {
  return before.toLowerCase() === 'array' || (around === 'elements' && (before === '[' || before === ','));
}

/**
 * The text with `$1` and so on in the place of its parameters, and the names that they
 * stand for after those that `names` has already. A longer name is filled up with spaces,
 * so that the places of errors stay.
 */
export function numberParameters(
  sql: string,
  settings: LexerSettings,
  names: readonly string[],
): { readonly text: string; readonly names: readonly string[] } {
  const all = [...names];
  let text = '';
  let copied = 0;
  for (const { name, start, end } of findParameters(sql, settings)) {
    if (!all.includes(name)) all.push(name);
    text += sql.slice(copied, start) + `$${all.indexOf(name) + 1}`.padEnd(end - start);
    copied = end;
  }
  return { text: text + sql.slice(copied), names: all };
}
