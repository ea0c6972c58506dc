import type { ResolvedActivation } from '../../../config/activation.ts';
import { isNeverDue } from '../../../config/schema/cron.ts';
import { type Note, note, withoutIgnored } from '../../../config/schema/note-kinds.ts';
import type { Column } from '../../../row-batch.ts';
import { columnNameNotes } from './column-name-notes.ts';
import { fileNameNotes } from './file-name-notes.ts';
import { formatNotes } from './format-notes.ts';
import { repeatedNameNotes } from './repeated-name-notes.ts';

/** What the notes of an activation follow from. */
export interface NoteGround {
  readonly activation: ResolvedActivation;
  /** Columns of the files, where the source was asked. */
  readonly columns: readonly Column[] | undefined;
  /** Their names, which a mapping tells without the source; undefined where they are not known. */
  readonly columnNames: readonly string[] | undefined;
}

/** Notes of one kind; pure, and quick. What is not known gives no note. */
export type NoteRule = (ground: NoteGround) => readonly Note[];

const NOTE_RULES: readonly NoteRule[] = [
  fileNameNotes,
  repeatedNameNotes,
  columnNameNotes,
  formatNotes,
  scheduleNotes,
];

/** What works and should be known of an activation, without what it ignores. `columns` is empty where they are not known. */
export function activationNotes(activation: ResolvedActivation, columns: readonly Column[]): Note[] {
  const known = columns.length > 0 ? columns : undefined;
  const columnNames = known?.map(({ name }) => name) ?? activation.mapping?.map(({ to }) => to);
  const found = NOTE_RULES.flatMap(rule => rule({ activation, columns: known, columnNames }));
  return withoutIgnored(found, activation.notes);
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
