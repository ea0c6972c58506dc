import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEmbeddedPostgres } from '../../../src/embedded/postgres.ts';
import { SETTINGS } from '../../../src/sources/postgres/connection/settings.ts';
import { getPostgres } from '../../support/postgres.ts';
import { readAll } from './support.ts';

/**
 * Settings that a role, a database or a session may change, and that decide what clients
 * see.
 */
const CHANGEABLE = `select lower(name) as name from pg_settings where context in ('user', 'superuser')
  and (category like 'Client Connection Defaults%' or category like 'Version and Platform Compatibility%')`;

test('for each setting that a user may change and that could matter it is said what was decided', async () => {
  const { url } = await getPostgres();
  const embedded = await startEmbeddedPostgres();
  try {
    for (const server of [url, embedded.url]) {
      const { rows } = await readAll(server, CHANGEABLE);
      assert.ok(rows.length > 30);
      const undecided = rows.map(([name]) => name!).filter(name => SETTINGS[name] === undefined);
      assert.deepEqual(undecided, []);
    }
  } finally {
    await embedded.stop();
  }
});

test('what is pinned holds for a model, and all else is as psql has it', async () => {
  const postgres = await getPostgres();
  const db = await postgres.createDatabase({
    settings: { synchronize_seqscans: 'on', row_security: 'on', idle_in_transaction_session_timeout: '7s' },
  });
  try {
    const theirs = Object.entries(SETTINGS)
      .filter(
        ([name, decision]) => /theirs|converted/.test(String(decision)) && !name.startsWith('transaction_'),
      )
      .map(([name]) => `'${name}'`);
    const model = `select name, setting from pg_settings where lower(name) in (${theirs.join()}) order by name`;
    const expected = await db.sql<{ name: string; setting: string }>(model);
    const { rows } = await readAll(db.url, model);
    assert.deepEqual(
      rows,
      expected.map(({ name, setting }) => [name, setting]),
    );
    const pinned = ['client_encoding', 'idle_in_transaction_session_timeout', 'synchronize_seqscans'];
    const values = pinned.map(name => `current_setting('${name}') as ${name}`);
    assert.deepEqual((await readAll(db.url, `select ${values.join()}`)).rows, [['UTF8', '0', 'off']]);
  } finally {
    await db.drop();
  }
});
