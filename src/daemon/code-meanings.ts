/**
 * What every code means that a run, a check, a request or a command can end with, and
 * what to do.
 */

import { NOTE_KINDS } from '../config/schema/note-kinds.ts';
import { ERROR_KINDS, type ErrorCode, EXIT } from '../errors.ts';
import type { HeldReason } from '../history/run-record.ts';
import type { ActivationWarningCode } from './notify/notification.ts';
import { WARNING_RULES } from './warnings/warning-rules.ts';

/** When each happens. What to do is the hint that the error itself carries. */
export const ERRORS: Readonly<Record<ErrorCode, string>> = {
  CONFIG_INVALID: 'The configuration does not parse, or keys in it are wrong. All of them are listed.',
  CONFIG_NOT_FOUND: 'The configuration file is not there.',
  CONFIG_SECRET_MISSING: 'A variable that the configuration refers to is not set, or a file cannot be read.',
  USAGE: 'The command line is wrong: a command, an option or an argument.',
  NOT_AVAILABLE: 'A part is needed that is not there, as an optional package.',
  NAME_UNKNOWN: 'There is no activation, model or the like of that name.',
  PARAMETER_INVALID:
    'A value was given for a parameter that the query does not have, a value is not of its type, or one is missing.',
  FILE_NAME_INVALID: 'The name that `fileName` gives is not allowed, or belongs to something else.',

  SOURCE_CONNECT_FAILED: 'The database does not answer, or its name cannot be resolved.',
  SOURCE_CREDENTIALS: 'The database refuses user, password, certificate or database.',
  SOURCE_CONNECTION_LOST: 'The connection broke while rows were read.',
  SOURCE_QUERY_CANCELLED: 'The database cancelled the statement, as by a timeout of its own.',
  SOURCE_QUERY_INVALID: 'The database does not accept the SQL.',
  SOURCE_QUERY_FAILED: 'The database failed while it executed the SQL, as by a division by zero.',
  SOURCE_PERMISSION: 'The role may not read what the model reads.',
  SOURCE_NOT_READ_ONLY: 'The model is not one statement that only reads.',
  SOURCE_RATE_LIMIT: 'The database has no connection or memory to spare.',
  SOURCE_TRANSIENT:
    'The database ended the transaction for a reason that passes, such as a conflict with recovery.',
  SOURCE_TIMEOUT: 'The source sent nothing for longer than `inactivityTimeout`.',
  SOURCE_INCOMPLETE:
    'The data ended without proof that it was all of it, or a file changed while it was read.',
  SOURCE_VALUE_TOO_LARGE: 'A value or row is larger than can be read.',

  COLUMN_UNKNOWN: 'Mapping or primary key name a column that the source does not have.',
  COLUMN_DUPLICATE: 'Two columns have the same name.',
  KEY_NULL: 'A row has a null in its primary key.',
  KEY_DUPLICATE: 'Several rows have the same primary key.',
  SCHEMA_CHANGED: 'Columns, key or mapping are not those of the baseline, and `onSchemaChange` is `fail`.',
  CHANGE_DETECTION_MISMATCH:
    'Rows have changed that `changeDetection: xmin` did not find, as a comparison of every row or their number has shown.',
  SOURCE_EMPTY: 'There is nothing to write, and `onEmpty` is `fail`.',

  PARAMETER_SETS_EXCEEDED:
    'There are baselines for as many sets of parameter values as `maxParameterSets` allows, and the run has another set.',
  PARTITIONS_EXCEEDED: 'The columns of `partitionBy` have more values than `maxPartitions` allows.',
  PARTITION_NAMES_MEET: 'Two partitions would give a file the same name. The message names both.',

  VALUE_NOT_EXPRESSIBLE: 'The format cannot hold a value. The message names column and row.',
  ROW_TOO_LARGE: 'One row is larger than a file or a row group may be.',

  DESTINATION_CONNECT_FAILED: 'The storage account does not answer, or its name cannot be resolved.',
  DESTINATION_CREDENTIALS:
    'The storage account refuses SAS token, key or identity, as once a token has expired.',
  DESTINATION_PERMISSION: 'The credentials lack a right that the run needs.',
  DESTINATION_NOT_FOUND: 'The container, or something in it that has to be there, does not exist.',
  DESTINATION_THROTTLED: 'The storage account asks for fewer requests.',
  DESTINATION_TIMEOUT: 'The storage account did not answer in time, or failed at each attempt.',
  DESTINATION_CONFLICT: 'Another program changed a blob that the run writes.',
  DESTINATION_EXISTS: 'A blob of that name is there already, and `ifExists` is `fail`.',
  DELTA_OVERWRITTEN: 'The run would replace an earlier delta, and `onDeltaOverwrite` is `fail`.',
  DESTINATION_REFUSED: 'The storage account refuses a request for another reason.',
  DESTINATION_RESET: 'The container no longer holds what was published, and `onDestinationReset` is `fail`.',

  STATE_LOCKED: 'Another process uses the same baseline.',
  STATE_DAMAGED: 'A file of the data directory does not hold what was written to it.',
  STATE_WRITE_FAILED: 'The data directory cannot be written, as when its disk is full.',
  STATE_INACCESSIBLE: 'The user that runs Sluice may not read or write the data directory.',
  STATE_STALE: 'The baseline is older than what was published last.',

  CANCELLED: 'The run was stopped, by Ctrl-C, a signal or a request.',

  QUEUE_CONNECT_FAILED: 'The PostgreSQL of `queue` does not answer.',
  QUEUE_REFUSED: 'The PostgreSQL of `queue` refuses the role, or what it is to do there.',

  RUN_KILLED: 'The process of a run was ended by something other than the daemon.',
  RUN_OUT_OF_MEMORY: 'The process of a run needed more than `daemon.runMemory`.',
  RUN_OUT_OF_FILES: 'A process may not open as many files as a run needs.',
  RUN_HUNG: 'The process of a run gave no sign of life.',
  RUN_UNKNOWN: 'There is no run of that id.',
  PLAN_UNKNOWN: 'There is no plan of that id any more, or never was.',
  ACTIVATION_PAUSED: 'The activation is paused.',
  IDEMPOTENCY_KEY_REUSED: 'The key was used for a request that asked for something else.',
  QUEUE_FULL: 'Too many runs of the activation wait.',
  STARTING: 'The daemon has not finished starting.',
  SHUTTING_DOWN: 'The daemon is ending.',
  LISTEN_FAILED: 'The daemon cannot listen on its address.',
  OUTPUT_FAILED: 'What the command prints cannot be written. What it did is done.',

  DAEMON_CONNECT_FAILED: 'The daemon that `--on` names does not answer, or its name cannot be resolved.',
  DAEMON_ANSWER_INVALID: 'What answers at the URL of `--on` does not answer as a daemon.',

  REQUEST_INVALID: 'Path, query, headers or body of a request are not what the API takes.',
  UNAUTHORIZED: 'The request has no valid token.',
  FORBIDDEN: 'The token lacks the right, or `Host` or `Origin` is not allowed.',
  PATH_UNKNOWN: 'The API has no such path.',
  METHOD_NOT_ALLOWED: 'The path does not take the method.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  BODY_TOO_LARGE: 'The body is larger than `daemon.bodyLimit`.',
  MEDIA_TYPE_UNSUPPORTED: 'The body is not JSON.',
  HEADERS_TOO_LARGE: 'Headers or path are too long.',
  TOO_MANY_REQUESTS: 'Too many requests of the kind are under way.',

  INTERNAL: 'Something happened that Sluice does not expect.',
};

export const HELD: Readonly<Record<HeldReason, readonly [when: string, release: string]>> = {
  SOURCE_EMPTY: ['The source has no rows, and the baseline has some.', '`--allow-removals`'],
  REMOVALS_OVER: ['More rows would be removed than `removedRowsOver` allows.', '`--allow-removals`'],
  STATE_LOST: [
    'The container knows of a baseline that this machine does not have.',
    '`sluice state restore NAME`, or `--full`',
  ],
  SOURCE_MOVED: [
    'The source is another server, or stands behind the baseline.',
    'Correct the address of the source; or `--full`',
  ],
};

/** What to do about each warning. */
export const WARNINGS: Readonly<Record<ActivationWarningCode, string>> = {
  RUN_FAILED: 'Look up the code in its message.',
  RUN_UNFINISHED: 'Remove what its message names; the daemon finishes the run by itself.',
  HELD: 'Look up the reason in its message.',
  PAUSED: 'Fix the source, then resume the activation.',
  NO_SUCCESS: 'See `sluice runs NAME`: whether it failed, was held, is paused, or was never asked for.',
  SAS_EXPIRES: 'Renew the token; a reload takes it up.',
  EMPTY_RESULT: 'Check the model and the source.',
  ROWS_DROPPED: 'Check the source; nothing to do where it is meant.',
  ROWS_SPIKED: 'Check the source; nothing to do where it is meant.',
  REMOVALS_OVER: 'Nothing: a person allowed it.',
  DUPLICATE_KEYS: 'Correct `primaryKey` or the query.',
  NULL_KEYS: 'Correct `primaryKey` or the data.',
  SLOW_RUN: 'Check the query plan and the network, or raise `durationOver`.',
  VALUE_COERCED: 'Convert the column in the model, or choose another format.',
  FOREIGN_BLOB_OVERWRITTEN: 'Change `fileName`, or set `ifExists: fail`.',
  DELTA_OVERWRITTEN: 'Give each delta a name of its own, as by `{run}` in `fileName`.',
  STALE_PARTS_LEFT: 'Delete the parts that it names, and grant delete (`d`).',
  COMPLETION_STOOD: 'Grant delete (`d`); until then, go by manifests rather than by the completion file.',
  MANIFESTS_LEFT: 'Grant delete (`d`), or set `manifest: true`.',
  APPEND_PART_MISSING: 'Nothing where a consumer took the part.',
  EXISTS_SKIPPED: 'Nothing: `ifExists: skip` says so.',
  COLUMNS_CHANGED: 'Consumers have to replace what they hold by the full export.',
  DESTINATION_RESET: 'Consumers have to replace what they hold by the full export.',
  STATE_LOST: 'Keep the data directory on a disk that lasts; consumers have to replace what they hold.',
  STATE_STALE: 'Consumers have to replace what they hold by the full export.',
  SOURCE_MOVED: 'Check the address of the source; consumers have to replace what they hold.',
  SOURCE_FAILED_OVER: 'Nothing, unless the new primary lost transactions.',
  CRC64_REFUSED: 'Nothing: the service compared each block with its MD5.',
  RECORD_NOT_KEPT: 'Free space in the data directory. The manifest describes the run.',
};

export const EXITS: Readonly<Record<keyof typeof EXIT, readonly [meaning: string, next: string]>> = {
  done: ['Done, warnings included.', 'Continue.'],
  failed: ['Failed for good.', 'A person looks at the code. The same run fails again.'],
  usage: ['Wrong usage or configuration.', 'A person corrects it. Nothing was run.'],
  held: ['A run is held until a person lets it through.', 'A person decides, by the reason that is given.'],
  changes: [
    'A plan has rows to publish; with nothing to publish it exits with 0.',
    'Look at the plan, then run.',
  ],
  retry: ['Failed, and worth another try.', 'Repeat, with pauses that grow.'],
  cancelled: ['Cancelled.', 'Repeat when it is wanted.'],
};

/** What one code means. The same code may be that of an error and of a warning. */
export interface CodeMeaning {
  readonly code: string;
  /** Such as `an error`. */
  readonly kind: string;
  readonly happens: string;
  readonly advice: string;
  /** What programs make of it. */
  readonly facts?: string;
}

/** Every code that a person can meet. */
export function codeMeanings(): readonly CodeMeaning[] {
  const errors = Object.entries(ERRORS).map(([code, happens]) => {
    const { retryable, exitCode, status, hint } = ERROR_KINDS[code as ErrorCode];
    const again = retryable ? 'the same run may succeed later' : 'the same run fails again';
    const facts = `${again}; exit code ${exitCode}, HTTP ${status}`;
    return { code, kind: 'an error', happens, advice: sentence(hint), facts };
  });
  const held = Object.entries(HELD).map(([code, [happens, release]]) => {
    const advice = `Look whether that is meant. What lets the run through: ${release}.`;
    return { code, kind: 'the reason of a held run', happens, advice };
  });
  const warnings = Object.entries(WARNINGS).map(([code, advice]) => {
    return { code, kind: 'a warning', happens: sentence(raisedWhen(code as ActivationWarningCode)), advice };
  });
  const notes = Object.entries(NOTE_KINDS).map(([code, { about, hint }]) => {
    const facts = `notes.ignore: [${code}] silences it`;
    return { code, kind: 'a note of `sluice validate`', happens: about, advice: sentence(hint), facts };
  });
  const exits = Object.entries(EXITS).map(([name, [happens, advice]]) => {
    return { code: String(EXIT[name as keyof typeof EXIT]), kind: 'an exit code', happens, advice };
  });
  return [...errors, ...held, ...warnings, ...notes, ...exits];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** When the warning is raised, without a capital and a full stop. */
export function raisedWhen(code: ActivationWarningCode): string {
  if (code === 'EXISTS_SKIPPED') return 'a run wrote nothing, because its file is there already';
  return WARNING_RULES.find(rule => rule.code === code)?.raised ?? '';
}
