/** PostgreSQL's text of an array as JSON text; what becomes what is said in ../parquet/array-json.ts. */

/** @returns `undefined` where the text is no array */
export function arrayJson(text: string, elementType: string): string | undefined {
  const delimiter = elementType === 'box' ? ';' : ',';
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
    if (quoted !== undefined) json += element(quoted.replace(/\\([\s\S])/g, '$1'), elementType);
    else if (plain !== undefined) json += plain === 'NULL' ? 'null' : element(plain, elementType);
    else if (found === '{') json += '[';
    else if (found === '}') json += ']';
    else json += ',';
    depth += found === '{' ? 1 : found === '}' ? -1 : 0;
    if (depth < 0 || (depth === 0 && found !== '}')) return undefined;
  }
  return depth === 0 && json !== '' ? json : undefined;
}

function element(text: string, type: string): string {
  if (type === 'boolean') return text === 't' ? 'true' : 'false';
  if (type === 'json' || type === 'jsonb') return text;
  const isNumber = /^(?:smallint|integer|bigint|real|double precision|numeric(?:\(.*\))?)$/.test(type);
  return isNumber && /\d$/.test(text) ? text : JSON.stringify(text);
}
