import { parseTemplate, splitExtension } from '../../../config/file-name.ts';
import { extensionOf } from '../../../config/format-kinds.ts';
import { type Note, note } from '../../../config/schema/note-kinds.ts';
import type { NoteGround } from './note-rule.ts';

/**
 * Endings of formats and archives; `orders.v2` and `www.example.com` have none of them.
 */
const KNOWN_ENDING =
  /\.(?:avro|bz2|csv|dat|gz|gzip|json|jsonl|ndjson|orc|parquet|pq|psv|snappy|tab|tsv|txt|xls|xlsx|xml|zip|zst)$/i;

export function fileNameNotes({ activation: { fileName, format } }: NoteGround): Note[] {
  const last = parseTemplate(fileName).at(-1);
  if (last === undefined || !('literal' in last)) return [];
  const extension = extensionOf(format);
  // Who wants none has said so.
  if (extension === '') return [];
  const { stem } = splitExtension(last.literal, extension);
  const [ending] = KNOWN_ENDING.exec(stem) ?? [];
  if (ending === undefined) return [];
  const written = `${stem}${extension}`.slice(stem.lastIndexOf('/') + 1);
  const message = `fileName ends in ${ending}, and ${extension} is added: files are named like "${written}"`;
  return [note('FILE_NAME_ENDING', message)];
}
