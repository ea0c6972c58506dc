import { type Note, note } from '../../../config/schema/note-kinds.ts';
import type { NoteGround } from './note-rule.ts';

/** What every reader takes as the name of a column without quotes or settings. */
const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}\p{M}_]{0,127}$/u;
/** BigQuery keeps them for itself, in any case. */
const RESERVED_NAME =
  /^(?:_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER|_CHANGE_(?:TYPE|SEQUENCE_NUMBER)$)/i;
const MAX_SHOWN = 5;

/**
 * Names that are right in the file, and that what reads the file refuses, changes or
 * mixes up.
 */
export function columnNameNotes({ activation: { format }, columnNames }: NoteGround): Note[] {
  // Without a header no name is written.
  if (columnNames === undefined || (format.type === 'csv' && !format.header)) return [];
  return [...refused(columnNames, format.type), ...differingInCase(columnNames)];
}

const READERS = {
  parquet: 'Spark (up to 3.2, and for Delta tables) and BigQuery refuse such names',
  csv: 'BigQuery changes or refuses such names, and Spark cannot keep them in Parquet or Delta tables',
  json: 'BigQuery refuses such names, and Spark cannot keep them in Parquet or Delta tables',
  xml: 'those that are not XML names are encoded (`_x0020_`), and tables for the rows may refuse the others',
} as const;

function refused(names: readonly string[], format: keyof typeof READERS): Note[] {
  const strange = names.filter(name => !PLAIN_NAME.test(name) || RESERVED_NAME.test(name));
  if (strange.length === 0) return [];
  const are = strange.length === 1 ? 'is not a plain name' : 'are not plain names';
  const message = `${listed(strange)} ${are} of letters, digits and _: ${READERS[format]}`;
  return [note('COLUMN_NAME_REFUSED', message)];
}

function differingInCase(names: readonly string[]): Note[] {
  const byFolded = new Map<string, string[]>();
  for (const name of names) {
    const folded = name.toLowerCase();
    byFolded.set(folded, [...(byFolded.get(folded) ?? []), name]);
  }
  const alike = [...byFolded.values()].filter(spellings => spellings.length > 1);
  return alike.map(spellings =>
    note(
      'COLUMN_NAMES_DIFFER_IN_CASE',
      `${listed(spellings)} differ in upper and lower case only: to Spark, BigQuery, Synapse and Hive they are one column`,
    ),
  );
}

/** `columns "a" and "b"` */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_SHOWN).map(name => JSON.stringify(name));
  const rest = names.length - shown.length;
  const items = rest > 0 ? [...shown, `${rest} more`] : shown;
  const last = items.pop();
  return items.length === 0 ? `column ${last}` : `columns ${items.join(', ')} and ${last}`;
}
