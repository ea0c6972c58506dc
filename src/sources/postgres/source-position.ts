import type pg from 'pg';
import type { SourcePosition } from '../source.ts';

/**
 * Where a snapshot stands in the history of its server. Every role may ask for that,
 * unless somebody has taken the right away, as some hosted services do: what the role may
 * not call is left out, since a refusal would end the transaction.
 */

const PARTS = [
  {
    functions: ['pg_is_in_recovery()', 'pg_last_wal_replay_lsn()', 'pg_current_wal_lsn()'],
    columns: `
      pg_catalog.pg_is_in_recovery() as standby,
      case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
           else pg_catalog.pg_current_wal_lsn() end::text as position`,
  },
  {
    functions: ['pg_control_system()'],
    columns: '(select system_identifier::text from pg_catalog.pg_control_system()) as system',
  },
  {
    functions: [
      'pg_is_in_recovery()',
      'pg_current_wal_lsn()',
      'pg_walfile_name(pg_lsn)',
      'pg_control_checkpoint()',
    ],
    // A standby has only its last checkpoint to show, which may still be of an earlier
    // timeline.
    columns: `
      case when pg_catalog.pg_is_in_recovery() then (select timeline_id from pg_catalog.pg_control_checkpoint())
           else ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int
      end as timeline`,
  },
] as const;

export interface PositionRow {
  readonly standby?: boolean;
  readonly position?: string | null;
  readonly system?: string;
  readonly timeline?: number;
}

/**
 * Columns of a select list that tell the position as far as the role may know it: begins
 * with a comma, or is empty.
 */
export async function positionColumns(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ readonly name: string }>(
    `select name from unnest($1::text[]) as wanted (name)
      where has_function_privilege(to_regprocedure('pg_catalog.' || name), 'execute')`,
    [[...new Set(PARTS.flatMap(({ functions }) => functions))]],
  );
  const allowed = new Set(rows.map(({ name }) => name));
  return PARTS.filter(({ functions }) => functions.every(name => allowed.has(name)))
    .map(({ columns }) => `, ${columns}`)
    .join('');
}

/** `undefined` where the role may know nothing. */
export function toPosition({ standby, position, system, timeline }: PositionRow): SourcePosition | undefined {
  const told: SourcePosition = {
    ...(system !== undefined && { system }),
    ...(timeline !== undefined && { timeline }),
    ...(position != null && { position }),
    ...(standby === true && { standby }),
  };
  return told.system === undefined && told.position === undefined ? undefined : told;
}
