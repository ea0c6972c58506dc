import type { ResolvedFormat } from '../../../config/activation.ts';
import { type Note, note } from '../../../config/schema/note-kinds.ts';
import type { NoteGround } from './note-rule.ts';

export function formatNotes(ground: NoteGround): Note[] {
  const { format } = ground.activation;
  if (format.type === 'csv') return [...aloneAndNull(ground, format), ...beginsWithId(ground, format)];
  return format.type === 'parquet' ? unsupportedTypes(ground, format) : [];
}

type CsvFormat = Extract<ResolvedFormat, { type: 'csv' }>;
type ParquetFormat = Extract<ResolvedFormat, { type: 'parquet' }>;

/** Which columns may be NULL is not known of a query; those of the key are not. */
function aloneAndNull({ activation, columnNames, columns }: NoteGround, { nullText }: CsvFormat): Note[] {
  const [name, ...others] = columnNames ?? [];
  if (name === undefined || others.length > 0 || nullText !== '') return [];
  const source = columns?.[0]?.source ?? activation.mapping?.[0]?.from;
  if (source !== undefined && activation.model.primaryKey.includes(source)) return [];
  const message = `column ${JSON.stringify(name)} is alone in its lines: a row where it is NULL is an empty line, and most readers leave such lines out`;
  return [note('COLUMN_ALONE_NULL', message)];
}

/**
 * The sign of a SYLK file. Excel shows an error, and opens the file after it or not at
 * all.
 */
function beginsWithId({ columnNames }: NoteGround, { header, bom, quote }: CsvFormat): Note[] {
  const first = columnNames?.[0];
  if (!header || bom || quote !== 'needed' || !first?.startsWith('ID')) return [];
  const message = `the file begins with "ID", the name of column ${JSON.stringify(first)}: Excel takes it for a SYLK file and reports an error`;
  return [note('COLUMN_FIRST_ID', message)];
}

const READERS_THAT_LACK = {
  uuid: 'Spark before 4.1, Synapse and Power Query do not read uuid, or read 16 bytes',
  time: 'Spark before 4.1 and Synapse do not read time',
} as const;

function unsupportedTypes({ columns = [] }: NoteGround, format: ParquetFormat): Note[] {
  return (['uuid', 'time'] as const).flatMap(kind => {
    if (format[kind] === 'text') return [];
    const names = columns.filter(column => column.kind === kind).map(({ name }) => JSON.stringify(name));
    if (names.length === 0) return [];
    const are = names.length === 1 ? `column ${names[0]} is` : `columns ${names.join(', ')} are`;
    const message = `${are} written as ${kind}: ${READERS_THAT_LACK[kind]}`;
    return note('PARQUET_TYPE_UNSUPPORTED', message, `set format.${kind}: text if such a reader is used`);
  });
}
