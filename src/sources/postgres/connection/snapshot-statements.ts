import type pg from 'pg';
import type { PostgresSourceOptions } from '../postgres-source-options.ts';
import { PINNED_SETTINGS } from './settings.ts';

const BEGIN = 'begin isolation level repeatable read read only;';

/**
 * A server that computes looks this often whether its client is still there, so that a
 * process that was killed leaves no query running. Not every platform of the server can.
 */
export const CHECK_CLIENT = `savepoint sluice; set local client_connection_check_interval = '2s'; release savepoint sluice;`;

/**
 * Begins the transaction and pins what a model cannot see. In one message: a timeout of
 * idle transactions must find no gap before it is switched off.
 */
export function beginStatements(
  { statementTimeoutMs, lockTimeoutMs, rowSecurity, timezone, snapshot }: PostgresSourceOptions,
  client: Pick<pg.Client, 'escapeLiteral'>,
): string {
  return (
    BEGIN +
    (snapshot === undefined ? '' : `set transaction snapshot ${client.escapeLiteral(snapshot)};`) +
    PINNED_SETTINGS +
    `set local row_security = ${rowSecurity === 'apply' ? 'on' : 'off'};` +
    setTimeoutOf('statement_timeout', statementTimeoutMs) +
    setTimeoutOf('lock_timeout', lockTimeoutMs) +
    (timezone === undefined ? '' : `set local timezone = ${client.escapeLiteral(timezone)};`)
  );
}

function setTimeoutOf(setting: string, milliseconds: number | 'none'): string {
  if (milliseconds === 'none') return `set local ${setting} = 0;`;
  return milliseconds > 0 ? `set local ${setting} = ${milliseconds};` : '';
}
