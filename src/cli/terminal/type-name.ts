/**
 * Names that are as long as the values they describe, and what everybody writes instead.
 */
const SHORT_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^character varying\b/, 'varchar'],
  [/^character\b/, 'char'],
  [/^bit varying\b/, 'varbit'],
  [/^(timestamp|time)(\(\d\))? with time zone\b/, '$1tz$2'],
  [/^(timestamp|time)(\(\d\))? without time zone\b/, '$1$2'],
];

/** The name of a type of PostgreSQL as people write it: `varchar(40)`, `timestamptz`. */
export function shortTypeName(sourceType: string): string {
  for (const [long, short] of SHORT_NAMES) if (long.test(sourceType)) return sourceType.replace(long, short);
  return sourceType;
}
