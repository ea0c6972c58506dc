import type { ResolvedActivation } from '../../../config/activation.ts';
import { isNeverDue } from '../../../config/schema/cron.ts';
import { type Note, note, withoutIgnored } from '../../../config/schema/note-kinds.ts';
import type { Column } from '../../../row-batch.ts';
import { whyOneReader } from '../../planning/readers.ts';
import { columnNameNotes } from './column-name-notes.ts';
import { fileNameNotes } from './file-name-notes.ts';
import { formatNotes } from './format-notes.ts';
import type { NoteGround, NoteRule } from './note-rule.ts';
import { repeatedNameNotes } from './repeated-name-notes.ts';

const NOTE_RULES: readonly NoteRule[] = [
  fileNameNotes,
  repeatedNameNotes,
  columnNameNotes,
  formatNotes,
  scheduleNotes,
  readerNotes,
];

/**
 * What works and should be known of an activation, without what it ignores. `columns` is
 * empty where they are not known. `oneReader` is why one reads, where the source says so.
 */
export function activationNotes(
  activation: ResolvedActivation,
  columns: readonly Column[],
  oneReader = whyOneReader(activation),
): Note[] {
  const known = columns.length > 0 ? columns : undefined;
  const columnNames = known?.map(({ name }) => name) ?? activation.mapping?.map(({ to }) => to);
  const found = NOTE_RULES.flatMap(rule => rule({ activation, columns: known, columnNames, oneReader }));
  return withoutIgnored(found, activation.notes);
}

function readerNotes({ activation, oneReader }: NoteGround): Note[] {
  if (oneReader === undefined) return [];
  return [note('ONE_READER', `parallel: ${activation.parallel} asks for more than one reader: ${oneReader}`)];
}

function scheduleNotes({ activation }: NoteGround): Note[] {
  return activation.schedule.flatMap(entry =>
    'cron' in entry && isNeverDue(entry.cron)
      ? note(
          'SCHEDULE_NEVER_DUE',
          `the schedule "${entry.cron}" is never due: no month that it names has the day`,
        )
      : [],
  );
}
