/**
 * A table with its schema, as SQL would write it: names that are not quoted are read in
 * lower case.
 */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

const IDENTIFIER = String.raw`(?:[A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_$\u0080-\u{10ffff}]*|"(?:[^"\0]|"")+")`;
const TABLE_NAME = new RegExp(String.raw`^(${IDENTIFIER})\.(${IDENTIFIER})$`, 'u');

/** `undefined` where the text is not a schema and a table. */
export function parseTableName(text: string): TableName | undefined {
  const [, schema, name] = TABLE_NAME.exec(text) ?? [];
  return schema === undefined || name === undefined
    ? undefined
    : { schema: nameOf(schema), name: nameOf(name) };
}

function nameOf(identifier: string): string {
  if (identifier.startsWith('"')) return identifier.slice(1, -1).replaceAll('""', '"');
  return identifier.replace(/[A-Z]+/g, letters => letters.toLowerCase());
}
