import type { ResolvedActivation } from '../../../config/activation.ts';
import type { Note } from '../../../config/schema/note-kinds.ts';
import type { Column } from '../../../row-batch.ts';

/** What the notes of an activation follow from. */
export interface NoteGround {
  readonly activation: ResolvedActivation;
  /** Columns of the files, where the source was asked. */
  readonly columns: readonly Column[] | undefined;
  /**
   * Their names, which a mapping tells without the source; undefined where they are not
   * known.
   */
  readonly columnNames: readonly string[] | undefined;
  /** Why one reader reads, although more were asked for; as far as it is known. */
  readonly oneReader: string | undefined;
}

/** Notes of one kind; pure, and quick. What is not known gives no note. */
export type NoteRule = (ground: NoteGround) => readonly Note[];
