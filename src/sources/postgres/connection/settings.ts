/**
 * What was decided for each setting that a user may change and that could decide what a
 * model means or how its result is written. A test fails for a setting of the server's
 * client defaults or compatibility options without a line here.
 *
 *   keyed      set for the transaction where a key of the source says so
 *   pinned     set for the transaction: no expression of a model can see it, or depend on it for more than being refused
 *   converted  the server's, role's and database's; where it is not as texts of results need it, they are made here, out
 *              of the binary form
 *   theirs     the server's, role's and database's; no text of a result depends on it
 */
export type SettingDecision = { readonly pinned: string } | 'keyed' | 'converted' | 'theirs';

export const SETTINGS: Readonly<Record<string, SettingDecision>> = {
  // SQL_ASCII where the database has no encoding: see `SESSION_QUERY`.
  client_encoding: { pinned: 'UTF8' },
  synchronize_seqscans: { pinned: 'off' },
  // A run waits for the destination, and ends by itself.
  idle_in_transaction_session_timeout: { pinned: '0' },

  row_security: 'keyed',
  lock_timeout: 'keyed',
  statement_timeout: 'keyed',

  datestyle: 'converted',
  timezone: 'converted',
  intervalstyle: 'converted',
  extra_float_digits: 'converted',
  bytea_output: 'converted',
  lc_monetary: 'converted',
  search_path: 'converted',
  quote_all_identifiers: 'converted',

  // How texts become values, and what expressions give.
  array_nulls: 'theirs',
  backslash_quote: 'theirs',
  default_text_search_config: 'theirs',
  default_with_oids: 'theirs',
  escape_string_warning: 'theirs',
  lc_numeric: 'theirs',
  lc_time: 'theirs',
  lo_compat_privileges: 'theirs',
  operator_precedence_warning: 'theirs',
  standard_conforming_strings: 'theirs',
  timezone_abbreviations: 'theirs',
  transform_null_equals: 'theirs',
  xmlbinary: 'theirs',
  xmloption: 'theirs',

  // What may be done, how long it may take, how it is told.
  check_function_bodies: 'theirs',
  client_min_messages: 'theirs',
  createrole_self_grant: 'theirs',
  event_triggers: 'theirs',
  icu_validation_level: 'theirs',
  idle_session_timeout: 'theirs',
  lc_messages: 'theirs',
  restrict_nonsystem_relation_kind: 'theirs',
  session_replication_role: 'theirs',
  transaction_timeout: 'theirs',

  // What `begin` says in their place.
  default_transaction_deferrable: 'theirs',
  default_transaction_isolation: 'theirs',
  default_transaction_read_only: 'theirs',
  transaction_deferrable: 'theirs',
  transaction_isolation: 'theirs',
  transaction_read_only: 'theirs',

  // How and where data are kept, and code is found.
  default_table_access_method: 'theirs',
  default_tablespace: 'theirs',
  default_toast_compression: 'theirs',
  dynamic_library_path: 'theirs',
  extension_control_path: 'theirs',
  file_copy_method: 'theirs',
  gin_fuzzy_search_limit: 'theirs',
  gin_pending_list_limit: 'theirs',
  local_preload_libraries: 'theirs',
  session_preload_libraries: 'theirs',
  temp_tablespaces: 'theirs',
  vacuum_cleanup_index_scale_factor: 'theirs',
  vacuum_failsafe_age: 'theirs',
  vacuum_freeze_min_age: 'theirs',
  vacuum_freeze_table_age: 'theirs',
  vacuum_multixact_failsafe_age: 'theirs',
  vacuum_multixact_freeze_min_age: 'theirs',
  vacuum_multixact_freeze_table_age: 'theirs',
};

/**
 * Holds for the transaction, and is not in the connection string, where poolers refuse
 * parameters they do not know.
 */
export const PINNED_SETTINGS = Object.entries(SETTINGS)
  .map(([name, decision]) => (typeof decision === 'object' ? `set local ${name} = ${decision.pinned};` : ''))
  .join('');

/** The settings of the session that results are written under, and what a model sees. */
export interface Session {
  /** The server's major version. */
  readonly version: number;
  readonly snapshotTime: Date;
  /** Digits behind the point of an amount of money. */
  readonly moneyScale: number;
  /** How long a statement may last; infinite where there is no limit. */
  readonly statementTimeoutMs: number;
  /** The converted settings under which texts already have the right form. */
  readonly canonical: ReadonlySet<Converted>;
}

export type Converted =
  | 'DateStyle'
  | 'TimeZone'
  | 'IntervalStyle'
  | 'extra_float_digits'
  | 'bytea_output'
  | 'lc_monetary'
  | 'search_path';

/**
 * The statement that takes the snapshot: what was committed before its start is in it. A
 * database without an encoding cannot convert what it holds: its bytes are taken as they
 * are.
 */
export const SESSION_QUERY = `
  select pg_catalog.current_setting('server_version_num') as version,
    pg_catalog.floor(extract(epoch from pg_catalog.statement_timestamp())
      operator(pg_catalog.*) 1000)::bigint::text as at,
    pg_catalog.scale(1::money::numeric) as money_scale,
    pg_catalog.current_setting('DateStyle') as datestyle,
    pg_catalog.current_setting('TimeZone') as timezone,
    pg_catalog.current_setting('IntervalStyle') as intervalstyle,
    pg_catalog.current_setting('extra_float_digits') as float_digits,
    pg_catalog.current_setting('bytea_output') as bytea_output,
    pg_catalog.current_setting('statement_timeout') as statement_timeout,
    case pg_catalog.current_setting('server_encoding') when 'SQL_ASCII'
      then pg_catalog.set_config('client_encoding', 'SQL_ASCII', true) end as encoding`;

export interface SessionRow {
  readonly version: string;
  readonly at: string;
  readonly money_scale: number;
  readonly datestyle: string;
  readonly timezone: string;
  readonly intervalstyle: string;
  readonly float_digits: string;
  readonly bytea_output: string;
  readonly statement_timeout: string;
}

/**
 * @param mayChange whether a model may change settings while it runs: none of them can be
 *   relied on then
 */
export function sessionOf(row: SessionRow, mayChange: boolean): Session {
  const canonical = new Set<Converted>();
  if (row.datestyle.startsWith('ISO')) canonical.add('DateStyle');
  if (/^(?:etc\/)?(?:utc|uct|universal|zulu)$/i.test(row.timezone)) canonical.add('TimeZone');
  if (row.intervalstyle === 'postgres') canonical.add('IntervalStyle');
  if (Number(row.float_digits) > 0) canonical.add('extra_float_digits');
  if (row.bytea_output === 'hex') canonical.add('bytea_output');
  if (mayChange) canonical.clear();
  return {
    version: Math.floor(Number(row.version) / 10_000),
    snapshotTime: new Date(Number(row.at)),
    moneyScale: row.money_scale,
    statementTimeoutMs: millisecondsOf(row.statement_timeout),
    canonical,
  };
}

const MILLISECONDS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time limit as the server shows it: `0` for none, else a number with its unit. */
function millisecondsOf(setting: string): number {
  const [, number, unit] = /^(\d+)([a-z]+)$/.exec(setting) ?? [];
  return Number(number) * MILLISECONDS[unit as keyof typeof MILLISECONDS] || Number.POSITIVE_INFINITY;
}
