import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import pg from 'pg';
import type { ErrorCategory, ErrorCode } from '../../../src/errors.ts';
import { toSourceError } from '../../../src/sources/postgres/postgres-errors.ts';
import { getPostgres, startPrivatePostgres, type TestDatabase } from '../../support/postgres.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { createSource, readAll, rejectsWith } from './support.ts';

const CANARY = 'c4n%40ry+s%3Acret';
const CANARY_CLEAR = decodeURIComponent(CANARY);

let db: TestDatabase;
before(async () => {
  db = await (await getPostgres()).createDatabase();
  await db.sql(`create table people (id int, name text)`);
});
after(() => db.drop());

function withUser(url: string, user: string, password = CANARY): string {
  return url.replace(/\/\/[^@]*@/, `//${user}:${password}@`);
}

/**
 * The secret is nowhere: neither in what is printed nor in any property, of the error and
 * of its causes.
 */
function assertNoSecret(error: unknown): void {
  const shown = [
    inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
    JSON.stringify(error),
    String((error as Error).stack),
  ].join('\n');
  for (const secret of [CANARY, CANARY_CLEAR, encodeURIComponent(CANARY_CLEAR)]) {
    assert.ok(!shown.includes(secret), shown);
  }
}

interface Expected {
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  readonly message: RegExp;
}

async function assertFails(promise: Promise<unknown>, expected: Expected): Promise<void> {
  const error = await rejectsWith(promise, expected.code);
  assert.match(error.message, expected.message);
  assert.deepEqual([error.category, error.retryable], [expected.category, expected.retryable]);
  assert.ok(error.hint.length > 0);
  assertNoSecret(error);
}

const invalid = { code: 'SOURCE_QUERY_INVALID', category: 'configuration', retryable: false } as const;

describe('errors of the query', () => {
  const url = (): string => withUser(db.url, 'postgres');

  const models: readonly (readonly [string, string, RegExp])[] = [
    [
      'wrong SQL',
      'select id,\n  name\nfrm people',
      /^preparing model customers: syntax error at or near "people" \(SQLSTATE 42601\) at line 3, column 5 of the model$/,
    ],
    [
      'a missing table',
      'select id from nobody',
      /^preparing model customers: relation "nobody" does not exist \(SQLSTATE 42P01\) at line 1, column 16 of the model$/,
    ],
    [
      'a missing schema',
      'select nowhere.f() as id',
      /schema "nowhere" does not exist \(SQLSTATE 3F000\) at line 1, column 8/,
    ],
    [
      'a missing column behind letters of several bytes',
      `select 'žluť 🙂🙂' as g,\n '🙂' as h, nothing from people`,
      /column "nothing" does not exist \(SQLSTATE 42703\) at line 2, column 12 of the model$/,
    ],
    [
      'an error at the end of the text',
      'select id from people where',
      /at end of input \(SQLSTATE 42601\) at line 1, column 28 of the model$/,
    ],
    [
      'a type that does not fit',
      `select id from people where name = 5`,
      /operator does not exist: text = integer .* at line 1, column 34 of the model/,
    ],
  ];
  for (const [what, sql, message] of models) {
    test(what, () => assertFails(readAll(url(), sql), { ...invalid, message }));
  }

  const filters: readonly (readonly [string, string, RegExp])[] = [
    [
      'a missing column',
      `name = '🙂' and nothing = 1`,
      /^preparing the export of model customers: column "nothing" does not exist \(SQLSTATE 42703\) at line 1, column 16 of the filter$/,
    ],
    [
      'in its second line',
      `id = 1\n  and nam = 'x'`,
      /column "nam" does not exist \(SQLSTATE 42703\) at line 2, column 7 of the filter - |column "nam" does not exist \(SQLSTATE 42703\) at line 2, column 7 of the filter/,
    ],
    [
      'an operand that is missing',
      'id = ',
      /syntax error at or near "\)" \(SQLSTATE 42601\) at line 1, column 6 of the filter$/,
    ],
    [
      'a parenthesis that is missing',
      '(id = 1',
      /at end of input \(SQLSTATE 42601\) at line 1, column 8 of the filter$/,
    ],
    [
      'a condition that is none',
      'id + 1',
      /must be type boolean, not type integer .* at line 1, column 1 of the filter$/,
    ],
    [
      'an empty one',
      '',
      /syntax error at or near "\)" \(SQLSTATE 42601\) at line 1, column 1 of the filter$/,
    ],
  ];
  for (const [what, where, message] of filters) {
    test(`in the filter: ${what}`, () =>
      assertFails(readAll(url(), `select id, name from people -- 🙂\n;`, { where }), {
        ...invalid,
        message,
      }));
  }

  test('a value that the query cannot compute', async () => {
    const sql = `select ('x' || generate_series(1, 2))::int as id`;
    await assertFails(readAll(url(), sql), {
      code: 'SOURCE_QUERY_FAILED',
      category: 'configuration',
      retryable: false,
      message: /^reading model customers: invalid input syntax for type integer: "x1" \(SQLSTATE 22P02\)$/,
    });
    const error = await rejectsWith(readAll(url(), sql), 'SOURCE_QUERY_FAILED');
    assert.equal((error.cause as { code?: string }).code, '22P02');
  });

  test('a detail and a hint of the server', async () => {
    await db.sql(`create function complains() returns int language plpgsql as $$
      begin raise exception 'no' using detail = 'the detail', hint = 'the hint', errcode = '22000'; end $$`);
    const error = await rejectsWith(readAll(url(), 'select complains() as id'), 'SOURCE_QUERY_FAILED');
    assert.equal(error.message, 'reading model customers: no (SQLSTATE 22000) - the detail');
    assert.equal(error.hint, 'the hint');
  });
});

describe('errors of rights and logging in', () => {
  test('a right that was revoked', async () => {
    const role = `poor_${db.name}`;
    await db.sql(`create role ${role} login; create table private (id int)`);
    try {
      await assertFails(readAll(withUser(db.url, role), 'select id from private'), {
        code: 'SOURCE_PERMISSION',
        category: 'credentials',
        retryable: false,
        message:
          /^preparing model customers: permission denied for table private \(SQLSTATE 42501\)$|^reading model customers: permission denied for table private/,
      });
    } finally {
      await db.sql(`drop role ${role}`);
    }
  });

  test('an unknown database', () =>
    assertFails(readAll(withUser(db.url, 'postgres').replace(/\/[^/]*$/, '/nosuch'), 'select 1'), {
      code: 'SOURCE_CREDENTIALS',
      category: 'credentials',
      retryable: false,
      message: /^connecting to source warehouse: database "nosuch" does not exist \(SQLSTATE 3D000\)$/,
    }));

  test('an unknown user', () =>
    assertFails(readAll(withUser(db.url, 'nosuch'), 'select 1'), {
      code: 'SOURCE_CREDENTIALS',
      category: 'credentials',
      retryable: false,
      message: /^connecting to source warehouse: role "nosuch" does not exist \(SQLSTATE 28000\)$/,
    }));

  test('a wrong password, none at all, and no connection left', async () => {
    const server = await startPrivatePostgres({
      settings: {
        max_connections: '5',
        superuser_reserved_connections: '1',
        password_encryption: 'scram-sha-256',
      },
    });
    try {
      const own = await server.createDatabase();
      // Trust only where it was: the others have to say a password.
      const [file] = await own.sql<{ hba: string }>(`select current_setting('hba_file') as hba`);
      await own.sql(`create role limited login password 'right'; create table hba (line text);
        insert into hba values ('host all postgres 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256');
        copy hba to '${file!.hba}'; select pg_reload_conf()`);
      const refused = { code: 'SOURCE_CREDENTIALS', category: 'credentials', retryable: false } as const;
      const wrong = /password authentication failed for user "limited" \(SQLSTATE 28P01\)/;
      for (let tries = 0; tries < 100; tries += 1) {
        // The reload is noticed by new connections a moment later.
        const accepted = await readAll(withUser(own.url, 'limited'), 'select 1').then(
          () => true,
          () => false,
        );
        if (!accepted) break;
      }
      await assertFails(readAll(withUser(own.url, 'limited'), 'select 1'), { ...refused, message: wrong });
      await assertFails(readAll(own.url.replace('postgres@', 'limited@'), 'select 1'), {
        ...refused,
        message: /password/,
      });
      const right = withUser(own.url, 'limited', 'right');
      assert.deepEqual((await readAll(right, 'select 1 as id')).rows, [['1']]);

      const held = await Promise.all(Array.from({ length: 5 }, () => own.connect().catch(() => undefined)));
      await assertFails(readAll(right, 'select 1'), {
        code: 'SOURCE_RATE_LIMIT',
        category: 'rate limit',
        retryable: true,
        message: /^connecting to source warehouse: .* \(SQLSTATE 53300\)$/,
      });
      for (const client of held) await client?.end();
    } finally {
      await server.dispose();
    }
  });
});

describe('errors of the network', () => {
  const unreachable = { code: 'SOURCE_CONNECT_FAILED', category: 'connection', retryable: true } as const;

  test('a refused port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    for (const host of ['127.0.0.1', 'localhost']) {
      await assertFails(readAll(`postgresql://u:${CANARY}@${host}:${port}/d`, 'select 1'), {
        ...unreachable,
        message: /^connecting to source warehouse: .*ECONNREFUSED/,
      });
    }
  });

  test('a host of several addresses, all of which refuse', () => {
    const each = ['::1', '127.0.0.1'].map(address => new Error(`connect ECONNREFUSED ${address}:1`));
    const cause = Object.assign(new AggregateError(each), { code: 'ECONNREFUSED' });
    const { code, message } = toSourceError(cause, { doing: 'connecting', connected: false });
    assert.equal(code, 'SOURCE_CONNECT_FAILED');
    assert.equal(message, 'connecting: connect ECONNREFUSED ::1:1, connect ECONNREFUSED 127.0.0.1:1');
  });

  test('an unknown host', () =>
    assertFails(readAll(`postgresql://u:${CANARY}@nosuch.invalid/d`, 'select 1'), {
      ...unreachable,
      message: /^connecting to source warehouse: getaddrinfo \w+ nosuch\.invalid/,
    }));

  test('a host that accepts and does not answer', async () => {
    const proxy = await startTcpProxy(db.url);
    proxy.blackHole();
    await assertFails(
      readAll(withUser(proxy.through(db.url), 'postgres'), 'select 1', { connectTimeoutMs: 100 }),
      {
        ...unreachable,
        message: /^connecting to source warehouse: timeout expired$/,
      },
    );
    await proxy.close();
  });

  test('a code of the system that looks like an SQLSTATE', () => {
    for (const code of ['EPIPE', 'EBADF', 'EPERM']) {
      const cause = Object.assign(new Error(`write ${code}`), { code });
      const error = toSourceError(cause, { doing: 'reading', connected: true });
      assert.deepEqual([error.code, error.message], ['SOURCE_CONNECTION_LOST', `reading: write ${code}`]);
    }
  });

  test('a connection lost while reading', async () => {
    const proxy = await startTcpProxy(db.url);
    const source = createSource(withUser(proxy.through(db.url), 'postgres'), 'select 1 as id');
    const { columns } = await source.describe();
    const rows = source.read(columns).toArray();
    proxy.cut();
    await assertFails(rows, {
      code: 'SOURCE_CONNECTION_LOST',
      category: 'connection',
      retryable: true,
      message: /^reading model customers: /,
    });
    await source.close();
    await proxy.close();
  });
});

test('the SQLSTATEs of a replica and a shutdown are worth a retry, those of a limit are not', () => {
  const states: readonly (readonly [string, ErrorCode])[] = [
    ['40001', 'SOURCE_TRANSIENT'],
    ['40P01', 'SOURCE_TRANSIENT'],
    ['57P01', 'SOURCE_CONNECTION_LOST'],
    ['57P02', 'SOURCE_CONNECTION_LOST'],
    ['57P03', 'SOURCE_CONNECT_FAILED'],
    ['57P05', 'SOURCE_CONNECTION_LOST'],
    ['08006', 'SOURCE_CONNECTION_LOST'],
    ['53200', 'SOURCE_RATE_LIMIT'],
    ['25P03', 'SOURCE_CONNECTION_LOST'],
    ['58030', 'SOURCE_TRANSIENT'],
    ['72000', 'SOURCE_TRANSIENT'],
    ['XX000', 'SOURCE_TRANSIENT'],
  ];
  for (const [state, code] of states) {
    const cause = Object.assign(new pg.DatabaseError('told', 4, 'error'), { code: state });
    const error = toSourceError(cause, { doing: 'reading', connected: true });
    assert.deepEqual([error.code, error.retryable], [code, true], state);
  }
  for (const [state, code] of [
    ['XX001', 'SOURCE_QUERY_FAILED'],
    ['P0001', 'SOURCE_QUERY_FAILED'],
    ['54001', 'SOURCE_QUERY_FAILED'],
    ['28P01', 'SOURCE_CREDENTIALS'],
    ['25P04', 'SOURCE_QUERY_CANCELLED'],
    ['53400', 'SOURCE_RATE_LIMIT'],
  ] as const) {
    const cause = Object.assign(new pg.DatabaseError('told', 4, 'error'), { code: state });
    const error = toSourceError(cause, { doing: 'reading', connected: true });
    assert.deepEqual([error.code, error.retryable], [code, false], state);
  }
});

test('what a server of another language reports is told by its code and function', () => {
  const reports: readonly (readonly [string, string, string, RegExp, boolean])[] = [
    [
      '55P03',
      'ProcessInterrupts',
      'storniere Anfrage wegen Zeitüberschreitung einer Sperre',
      /lockTimeout: none/,
      false,
    ],
    [
      '55P03',
      'heap_lock_tuple',
      'konnte Sperre für Zeile nicht setzen',
      /another session holds a lock/,
      true,
    ],
    ['28000', 'ClientAuthentication', 'kein pg_hba.conf-Eintrag für Host »::1«', /in pg_hba\.conf$/, false],
    [
      '28000',
      'ClientAuthentication',
      'Verbindung erfordert ein gültiges Client-Zertifikat',
      /sslcert and sslkey/,
      false,
    ],
    ['42601', 'exec_parse_message', 'kann nicht mehrere Befehle einfügen', /./, false],
  ];
  for (const [code, routine, message, hint, retryable] of reports) {
    const cause = Object.assign(new pg.DatabaseError(message, 4, 'error'), { code, routine });
    const error = toSourceError(cause, { doing: 'reading', connected: true });
    assert.match(error.hint, hint, message);
    assert.equal(error.retryable, retryable, message);
  }
});
