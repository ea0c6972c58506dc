/**
 * Notes of `validate`, as data: what is allowed and works, but causes trouble later. One
 * row per code says when the note is given and what to do. Codes never change once
 * published: `notes.ignore` and scripts name them.
 */

interface NoteKind {
  /** When it is given, for the reference. */
  readonly about: string;
  /** The way out, unless the rule knows a better one. */
  readonly hint: string;
}

export const NOTE_KINDS = {
  COLUMN_NAME_REFUSED: {
    about: 'A column has a name that common readers refuse or change, such as one with a space.',
    hint: 'give the column another name in the mapping, or with `as` in the model',
  },
  COLUMN_NAMES_DIFFER_IN_CASE: {
    about: 'Two columns have names that differ in upper and lower case only.',
    hint: 'give one of them another name in the mapping, or with `as` in the model',
  },
  COLUMN_ALONE_NULL: {
    about: 'A CSV file has one column that may be NULL, so that rows become empty lines.',
    hint: "set format.nullText, such as '\\N', or add a column",
  },
  COLUMN_FIRST_ID: {
    about: 'A CSV file begins with the letters `ID`, which Excel takes for a file of another kind.',
    hint: 'set format.bom: true or format.quote: always, or write the name in lower case',
  },
  PARQUET_TYPE_UNSUPPORTED: {
    about: 'A Parquet file has a `uuid` or `time` column, which some readers do not support.',
    hint: 'set format.uuid: text or format.time: text if such a reader is used',
  },
  FILE_NAME_ENDING: {
    about: 'The file name has an ending of its own, and the ending of the format is added to it.',
    hint: 'leave the ending out of fileName',
  },
  NAME_REPEATS: {
    about: 'Deltas of runs that follow one another have the same name, and each replaces the one before.',
    hint: 'put {run} or the time into fileName as finely as runs follow; or set ifExists: append, skip or fail, or onDeltaOverwrite: fail',
  },
  SCHEDULE_NEVER_DUE: {
    about: 'A cron expression names only days that no month has, such as 30 February.',
    hint: 'correct day of month and month; "0 0 28-31 * *" and so on are due in months that have the day',
  },
  REFERENCE_UNSET: {
    about:
      'With `--offline`: a variable is not set, or a file cannot be read, that the configuration refers to.',
    hint: 'set the variable, or write the file, where runs are made',
  },
  ONE_READER: {
    about: '`parallel` asks for more readers than one, and one reads: the message says why.',
    hint: 'set parallel: 1, or change what the message names; see docs/scale.md',
  },
  MEMORY_EXCEEDED: {
    about:
      'Runs of the daemon may together take more memory than the machine or the container has, or one of them more than it may.',
    hint: 'lower daemon.concurrency or daemon.runMemory, or give the machine or container more memory',
  },
} as const satisfies Record<string, NoteKind>;

export type NoteCode = keyof typeof NOTE_KINDS;
export const NOTE_CODES = Object.keys(NOTE_KINDS) as [NoteCode, ...NoteCode[]];

/** Something that works and should be known: no check fails for it. */
export interface Note {
  readonly code: NoteCode;
  /** What was seen, and why it matters. */
  readonly message: string;
  /** The way out. */
  readonly hint: string;
}

/** A note with the hint of its kind, or a better one. */
export function note(code: NoteCode, message: string, hint: string = NOTE_KINDS[code].hint): Note {
  return { code, message, hint };
}

/** Without those that the configuration says nobody needs to see. */
export function withoutIgnored(
  notes: readonly Note[],
  { ignore }: { readonly ignore: readonly NoteCode[] },
): Note[] {
  return notes.filter(({ code }) => !ignore.includes(code));
}
