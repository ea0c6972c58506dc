/**
 * How the value of a column stands in the name of a file, as Hive and its readers write
 * it.
 */

export const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';
export const EMPTY_PARTITION = '__EMPTY__';

/**
 * What Hive escapes, and what no name may hold: control characters and code points that
 * are no characters.
 */
const ESCAPED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /["#%'*/:=?\\{[\]^\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]|\p{Surrogate}/gu;

export function escapePartition(text: string): string {
  return text.replace(ESCAPED, percentEncoded);
}

/** A value as it stands in a name. */
export function partitionText(value: string | null): string {
  if (value === null) return NULL_PARTITION;
  return value === '' ? EMPTY_PARTITION : escapePartition(value);
}

/**
 * Encodes what values may have put together in a name, and no name may have: segments `.`
 * and `..`, a dot at the end of a segment, the segment that is reserved.
 */
export function safeSegments(name: string, reserved: string): string {
  return name
    .split('/')
    .map(segment =>
      segment === reserved
        ? percentEncoded(segment[0]!) + segment.slice(1)
        : segment.replace(/\.+$/, percentEncoded),
    )
    .join('/');
}

function percentEncoded(text: string): string {
  const bytes = [...Buffer.from(text)];
  return bytes.map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** A value of a column, as messages show it. */
export function shownPartition(
  columns: readonly string[],
  values: readonly (string | null)[],
  longest = 60,
): string {
  return columns
    .map((column, index) => {
      const value = values[index]!;
      if (value === null) return `${column} NULL`;
      const shown = value.length <= longest ? value : `${value.slice(0, longest)}…`;
      return `${column} ${JSON.stringify(shown)}`;
    })
    .join(', ');
}
