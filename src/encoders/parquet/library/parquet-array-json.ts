import type { ElementFacts } from '../../../row-batch.ts';
import { NUMBER_KINDS } from '../../text/typed-row.ts';

/**
 * PostgreSQL's text of an array as JSON text; what becomes what is said in
 * ../parquet/array-json.ts.
 * @returns `undefined` where the text is no array
 */
export function arrayJson(text: string, facts: ElementFacts): string | undefined {
  const delimiter = facts.delimiter.replace(/\W/, '\\$&');
  const token = new RegExp(
    `\\{|\\}|${delimiter}|"((?:[^"\\\\]|\\\\[\\s\\S])*)"|([^{}"\\\\${delimiter}]+)`,
    'y',
  );
  token.lastIndex = /^(?:\[[^=]*=)?/.exec(text)![0].length;
  let json = '';
  let depth = 0;
  while (token.lastIndex < text.length) {
    const [found, quoted, plain] = token.exec(text) ?? [];
    if (found === undefined) return undefined;
    if (quoted !== undefined || plain !== undefined) {
      const written =
        plain === 'NULL' ? 'null' : element(plain ?? quoted!.replace(/\\([\s\S])/g, '$1'), facts);
      if (written === undefined) return undefined;
      json += written;
    } else if (found === '{') json += '[';
    else if (found === '}') json += ']';
    else json += ',';
    depth += found === '{' ? 1 : found === '}' ? -1 : 0;
    if (depth < 0 || (depth === 0 && found !== '}')) return undefined;
  }
  return depth === 0 && json !== '' ? json : undefined;
}

function element(text: string, { kind, element: inner }: ElementFacts): string | undefined {
  if (inner !== undefined) return arrayJson(text, inner);
  if (kind === 'boolean') return text === 't' ? 'true' : 'false';
  if (kind === 'json') return text;
  return NUMBER_KINDS.has(kind) && /\d$/.test(text) ? text : JSON.stringify(text);
}
