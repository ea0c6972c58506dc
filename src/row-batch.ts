/**
 * The chunk that travels through the pipeline: many rows in the form the wire gave them.
 *
 * Words used here and everywhere else:
 *   row      one tuple of the query
 *   field    one value of a row: a 4-byte big-endian length, then that many bytes; a length of -1 is NULL.
 *            This is the body of PostgreSQL's DataRow message (protocol 3.0, text format), so a value is
 *            carried as the database wrote it. Other sources produce the same layout.
 *   column   the name and type that the fields at one position share
 *   change   what the diff says of a row
 */

/**
 * What the diff says of a row. Numbers, because there is one per row in a typed array.
 * Beyond the four changes a row can be `skipped` (its key is null or repeated) or
 * `deferred` (it will come again in a later batch, with its change).
 */
export const Change = { added: 0, updated: 1, removed: 2, unchanged: 3, skipped: 4, deferred: 5 } as const;
export type Change = (typeof Change)[keyof typeof Change];
export type ChangeName = 'added' | 'updated' | 'removed' | 'unchanged';

/** The types that a format may treat specially; every other type is `text`. */
export type ColumnKind =
  | 'boolean'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float32'
  | 'float64'
  | 'numeric'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'uuid'
  | 'json'
  | 'bytes'
  | 'text';

export interface Column {
  /** Name in the file. */
  readonly name: string;
  /** Name in the model. */
  readonly source: string;
  readonly kind: ColumnKind;
  /**
   * The type as the database names it, modifiers included: `numeric(12,2)`, `character
   * varying(40)`.
   */
  readonly sourceType: string;
  /**
   * Digits and scale of `numeric(p,s)`; absent for unconstrained numerics and other
   * kinds.
   */
  readonly precision?: number;
  readonly scale?: number;
  /** For an array, which is `text`: what the text between its braces is. */
  readonly element?: ElementFacts;
  /**
   * The text is one of a signed quantity, as of an interval, and not what somebody may
   * have typed.
   */
  readonly isQuantity?: true;
  /** Why no value can be read: it is refused where it is wanted. */
  readonly unreadable?: string;
}

/** What people and programs are shown of a column. */
export type ShownColumn = Omit<Column, 'element' | 'isQuantity' | 'unreadable'>;

export function shownColumn({ element, isQuantity, unreadable, ...shown }: Column): ShownColumn {
  return shown;
}

export interface ElementFacts {
  readonly kind: ColumnKind;
  /** Stands between two elements. */
  readonly delimiter: string;
  /** Where the elements are arrays themselves, of a domain: within one element's text. */
  readonly element?: ElementFacts;
}

/** Rows that have the same values in some columns, and files of their own. */
export interface Partition {
  /** Counted from 0, in the order in which the run came upon them. */
  readonly index: number;
  readonly values: readonly (string | null)[];
}

export interface RowBatch {
  /** Fields of the rows, one row after the other, with anything at all between rows. */
  readonly bytes: Buffer;
  readonly rowCount: number;
  /**
   * Row `i` occupies `bytes[rowBounds[2 * i] .. rowBounds[2 * i + 1]]`: first its fields
   * in column order, then columns of the key and of the partition that are not among the
   * written ones.
   */
  readonly rowBounds: Int32Array;
  /** One `Change` per row, set by the diff; without a diff every row is to be written. */
  changes: Uint8Array | undefined;
  /** The rows come after others that followed them in the source. */
  readonly isLate?: true;
  /** The one that all rows are of, where files are partitioned. */
  partition?: Partition | undefined;
  /**
   * Present where each row, in the place of its fields, is already as a file will hold
   * it: see `JoiningEncoder`, which alone takes such a batch.
   */
  readonly isEncoded?: true;
  /**
   * Lends the memory of the batch to a later one; present, until it is called, where the
   * source can use it. Whoever takes the batch out of the pipeline may call it, and
   * neither reads the batch afterwards nor has kept any part of it.
   */
  release?: (() => void) | undefined;
}
