/**
 * Every failure that the world can cause, as data: one row per code says how the failure
 * is classed, whether the same request may work later, and what a person can do about it.
 *
 * Codes never change once published: scripts and dashboards match on them.
 */

/** The six classes that an operator sorts failures by. */
export const ERROR_CATEGORIES = [
  'connection',
  'credentials',
  'rate limit',
  'configuration',
  'timeout',
  'not found',
] as const;
export type ErrorCategory = (typeof ERROR_CATEGORIES)[number];

/** Where in a run the failure arose. */
export type ErrorStage =
  | 'configuration'
  | 'source'
  | 'mapping'
  | 'diff'
  | 'encoding'
  | 'destination'
  | 'state'
  | 'run';

/** Exit codes of the command. `held` and `changes` are outcomes, not errors. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  held: 3,
  /** A plan has something to publish. */
  changes: 10,
  retry: 75,
  cancelled: 130,
} as const;

interface ErrorKind {
  readonly category: ErrorCategory;
  /** Whether repeating the same run unchanged may succeed. */
  readonly retryable: boolean;
  readonly exitCode: (typeof EXIT)[keyof typeof EXIT];
  /** HTTP status of the answer to a request that failed so. */
  readonly status: number;
  /** What to do, unless the thrower knows better. */
  readonly hint: string;
}

/**
 * What a failure of a run or a check is to whoever asked for it over HTTP: source and
 * destination are upstream of the daemon, and what is configured wrongly was understood
 * but cannot be done. Codes about the request itself say otherwise.
 */
const STATUS: Readonly<Record<ErrorCategory, number>> = {
  connection: 502,
  credentials: 502,
  'rate limit': 503,
  configuration: 422,
  timeout: 504,
  'not found': 502,
};

const permanent = (category: ErrorCategory, hint: string, status = STATUS[category]): ErrorKind => ({
  category,
  retryable: false,
  exitCode: EXIT.failed,
  status,
  hint,
});
const transient = (category: ErrorCategory, hint: string, status = STATUS[category]): ErrorKind => ({
  category,
  retryable: true,
  exitCode: EXIT.retry,
  status,
  hint,
});
const usage = (hint: string, status = STATUS.configuration): ErrorKind => ({
  category: 'configuration',
  retryable: false,
  exitCode: EXIT.usage,
  status,
  hint,
});

export const ERROR_KINDS = {
  // configuration
  CONFIG_INVALID: usage('correct the listed keys, then run `sluice validate --offline`'),
  CONFIG_NOT_FOUND: usage('name the file with --config, or start from `sluice init`'),
  CONFIG_SECRET_MISSING: usage('set the variable or write the file that the configuration refers to'),
  USAGE: usage('see `sluice help`', 400),
  NOT_AVAILABLE: usage('install what the message names, or leave out what needs it', 501),
  NAME_UNKNOWN: usage('use one of the listed names', 404),
  PARAMETER_INVALID: usage(
    'give each parameter a value of its type; `sluice config NAME` shows what there is',
  ),
  FILE_NAME_INVALID: usage('change fileName; see the file name rules in the reference'),

  // source
  SOURCE_CONNECT_FAILED: transient(
    'connection',
    'check that the database is up and that host and port are right',
  ),
  SOURCE_CREDENTIALS: permanent(
    'credentials',
    'check user, password and database of the source, and pg_hba.conf',
  ),
  SOURCE_CONNECTION_LOST: transient('connection', 'run again; nothing was published'),
  SOURCE_QUERY_CANCELLED: transient(
    'timeout',
    'run again, or raise the timeout that cancelled the statement',
  ),
  SOURCE_QUERY_INVALID: permanent(
    'configuration',
    'correct the SQL of the model or the filter of the segment',
  ),
  SOURCE_QUERY_FAILED: permanent(
    'configuration',
    'the database refused a value or an operation; see its message',
  ),
  SOURCE_PERMISSION: permanent(
    'credentials',
    'grant the right that the message names to the role of the source',
  ),
  SOURCE_NOT_READ_ONLY: permanent('configuration', 'a model is one statement that reads and does not write'),
  SOURCE_RATE_LIMIT: transient(
    'rate limit',
    'the server has no free connection or resource; run again later',
  ),
  SOURCE_TRANSIENT: transient('connection', 'the database asked for a retry; run again'),
  SOURCE_TIMEOUT: transient(
    'timeout',
    'the source sent nothing for too long; check the query plan and the network',
  ),
  SOURCE_INCOMPLETE: transient('connection', 'the end of the data could not be proven; run again'),
  SOURCE_VALUE_TOO_LARGE: permanent(
    'configuration',
    'leave the column out of the mapping, or shorten it in the model',
  ),

  // mapping and diff
  COLUMN_UNKNOWN: permanent(
    'configuration',
    'use one of the listed columns in the mapping or the primary key',
  ),
  COLUMN_DUPLICATE: permanent('configuration', 'give each column of the model a name of its own with `as`'),
  KEY_NULL: permanent('configuration', 'fix the data, or set onNullKey: skip'),
  KEY_DUPLICATE: permanent('configuration', 'fix the query, or set onDuplicateKey: first'),
  SCHEMA_CHANGED: permanent(
    'configuration',
    'run with --full to start a new baseline, or set onSchemaChange: full',
  ),
  SOURCE_EMPTY: permanent('configuration', 'the source returned no rows and onEmpty is fail'),
  CHANGE_DETECTION_MISMATCH: permanent(
    'configuration',
    'nothing was published, and the next run is a full one; should it come again, set changeDetection: full and report it',
    500,
  ),

  PARAMETER_SETS_EXCEEDED: permanent(
    'configuration',
    'give up a set that is no longer wanted (`sluice state show NAME` lists them, `sluice state reset NAME --param …` removes one), or raise maxParameterSets',
  ),
  PARTITIONS_EXCEEDED: permanent(
    'configuration',
    'partition by columns with fewer values, or raise maxPartitions',
  ),
  PARTITION_NAMES_MEET: permanent(
    'configuration',
    'change one of the values in the model, or put something between the columns in fileName',
  ),

  // encoding
  VALUE_NOT_EXPRESSIBLE: permanent(
    'configuration',
    'convert the column in the model, or leave it out of the mapping',
  ),
  ROW_TOO_LARGE: permanent('configuration', 'raise maxFileSize, or leave the large column out'),

  // destination
  DESTINATION_CONNECT_FAILED: transient(
    'connection',
    'check accountUrl and the network to the storage account',
  ),
  DESTINATION_CREDENTIALS: permanent('credentials', 'renew the SAS token or key of the destination'),
  DESTINATION_PERMISSION: permanent('credentials', 'grant the permission that the message names'),
  DESTINATION_NOT_FOUND: permanent('not found', 'create the container, or correct its name'),
  DESTINATION_THROTTLED: transient('rate limit', 'the storage account is throttling; run again later'),
  DESTINATION_TIMEOUT: transient('timeout', 'the storage account did not answer in time; run again'),
  DESTINATION_CONFLICT: permanent('configuration', 'another writer changed the blob; see the message'),
  DESTINATION_EXISTS: permanent(
    'configuration',
    'remove the blob, change fileName, or set ifExists: overwrite',
  ),
  DELTA_OVERWRITTEN: permanent(
    'configuration',
    'give each delta a name of its own, as by {run} in fileName; or set ifExists: append, skip or fail; or take the file away once it is read; or set onDeltaOverwrite: warn',
  ),
  DESTINATION_REFUSED: permanent('configuration', 'see the message of the storage service'),
  DESTINATION_RESET: permanent('configuration', 'run with --full, or set onDestinationReset: full'),

  // state
  STATE_LOCKED: transient(
    'timeout',
    'another sluice process uses the data directory; wait for it or stop it',
    503,
  ),
  STATE_DAMAGED: permanent('configuration', 'restore a state backup, or run with --full', 500),
  STATE_WRITE_FAILED: transient(
    'connection',
    'free disk space or fix the data directory, then run again',
    503,
  ),
  STATE_INACCESSIBLE: permanent(
    'configuration',
    'let the user that runs Sluice read and write the data directory',
    500,
  ),
  STATE_STALE: permanent('configuration', 'put the newest state back, or run with --full'),

  // the run itself
  CANCELLED: {
    category: 'timeout',
    retryable: true,
    exitCode: EXIT.cancelled,
    status: 503,
    hint: 'nothing was published',
  },

  // the queue
  QUEUE_CONNECT_FAILED: transient('connection', 'check `queue.url`, and that its PostgreSQL runs'),
  QUEUE_REFUSED: permanent(
    'credentials',
    'let the role of `queue.url` log in and own the schema sluice_queue; docs/guide/workers.md has the statements',
  ),

  // the daemon
  RUN_KILLED: transient('connection', 'the process of the run was ended from outside; run again'),
  RUN_OUT_OF_MEMORY: transient(
    'rate limit',
    'raise daemon.runMemory or the limit that the system sets (`ulimit -v`), or lower stateMemory or blockSize',
  ),
  RUN_OUT_OF_FILES: transient('rate limit', 'raise the limit of open files (`ulimit -n`), then run again'),
  RUN_HUNG: transient('timeout', 'the process of the run gave no sign of life and was ended; run again'),
  RUN_UNKNOWN: permanent('not found', 'see `sluice runs` for the runs that are known', 404),
  PLAN_UNKNOWN: permanent(
    'not found',
    'ask for another plan: one is known for an hour, and not beyond an end of the daemon',
    404,
  ),
  ACTIVATION_PAUSED: permanent('configuration', 'resume the activation first', 409),
  IDEMPOTENCY_KEY_REUSED: permanent('configuration', 'use a new key for a request with other options', 422),
  QUEUE_FULL: transient('rate limit', 'too many runs of the activation wait already; ask again later', 429),
  STARTING: transient(
    'connection',
    'the daemon is starting; ask again when /readyz says that it is ready',
    503,
  ),
  SHUTTING_DOWN: transient('connection', 'the daemon is ending; ask again when it is back', 503),
  LISTEN_FAILED: permanent('configuration', 'free the address, or set daemon.host and daemon.port'),

  // the command
  OUTPUT_FAILED: transient('connection', 'make room where the output goes; what the command did is done'),

  // requests to the daemon
  DAEMON_CONNECT_FAILED: transient(
    'connection',
    'check the URL of --on, and that `sluice serve` runs and can be reached there',
  ),
  DAEMON_ANSWER_INVALID: permanent('connection', 'check the URL of --on: something else answers there'),

  REQUEST_INVALID: permanent('configuration', 'see /openapi.json for what is allowed', 400),
  UNAUTHORIZED: permanent('credentials', 'send a token of the configuration as `Authorization: Bearer`', 401),
  FORBIDDEN: permanent('credentials', 'use a write token, or another Host or Origin', 403),
  PATH_UNKNOWN: permanent('not found', 'see /openapi.json for the paths that there are', 404),
  METHOD_NOT_ALLOWED: permanent('configuration', 'use a method that the `Allow` header names', 405),
  REQUEST_TIMEOUT: transient('timeout', 'send the whole request without pausing', 408),
  BODY_TOO_LARGE: permanent('configuration', 'send less, or raise daemon.bodyLimit', 413),
  MEDIA_TYPE_UNSUPPORTED: permanent('configuration', 'send JSON with `Content-Type: application/json`', 415),
  HEADERS_TOO_LARGE: permanent('configuration', 'send fewer or shorter headers, or a shorter path', 431),
  TOO_MANY_REQUESTS: transient('rate limit', 'too many such requests are under way; ask again later', 429),

  INTERNAL: permanent('configuration', 'this is a defect of Sluice; please report it with --verbose', 500),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

export interface SluiceErrorOptions {
  readonly cause?: unknown;
  readonly stage?: ErrorStage;
  /** What to do, where the thrower knows better than the table. */
  readonly hint?: string;
  /** Likewise. */
  readonly retryable?: boolean;
}

/**
 * Control and format characters, but for tabs, line breaks and joiners, which are part of
 * words.
 */
const INVISIBLE = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A text of somebody else with what nobody would see in it shown by its code. */
function visible(text: string): string {
  return text.replace(
    INVISIBLE,
    character => `<U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}>`,
  );
}

/**
 * What to do about bytes that are not UTF-8, with an expression that also works where a
 * database has no encoding.
 */
export function notUtf8Hint(column: string): string {
  const converted = `convert_from(convert(convert_to(${column}, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'UTF8')`;
  return `convert the column in the model, from LATIN1 with ${converted}, or leave it out of the mapping`;
}

/**
 * A failure that the world caused. The message says what failed, on which thing, and what
 * was seen; the hint says what to do. Neither ever holds a secret.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly stage: ErrorStage | undefined;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: SluiceErrorOptions = {}) {
    super(visible(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.stage = options.stage;
    this.hint = options.hint ?? ERROR_KINDS[code].hint;
    this.retryable = options.retryable ?? ERROR_KINDS[code].retryable;
  }

  get category(): ErrorCategory {
    return ERROR_KINDS[this.code].category;
  }

  get status(): number {
    return ERROR_KINDS[this.code].status;
  }

  get exitCode(): number {
    const { retryable, exitCode } = ERROR_KINDS[this.code];
    return this.retryable === retryable ? exitCode : this.retryable ? EXIT.retry : EXIT.failed;
  }
}
