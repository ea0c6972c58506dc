/**
 * The text of a value that came in binary, with a character for each byte ("latin1"):
 * texts of a database without an encoding need not be UTF-8. It is the text that
 * PostgreSQL writes under the settings in ../settings.ts.
 */
export type ValueText = (bytes: Buffer, start: number, end: number) => string;

/** The text itself. */
export const asText: ValueText = (bytes, start, end) => bytes.toString('latin1', start, end);
