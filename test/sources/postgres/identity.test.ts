/**
 * Logging in by a token of an identity: a real server that knows the token as a password,
 * and the endpoint of a managed identity, played.
 */
import assert from 'node:assert/strict';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TokenCredential } from '../../../src/addresses/default-identity.ts';
import type { PostgresAddress } from '../../../src/addresses/postgres-address.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { SluiceError } from '../../../src/errors.ts';
import { IdentityToken } from '../../../src/sources/postgres/connection/identity-token.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../../support/postgres.ts';
import { createCertificate } from './certificate.ts';
import { readAll } from './support.ts';

const SCOPE = 'https://ossrdbms-aad.database.windows.net/.default';
const HEADER = 'header-of-the-platform';
const made = createCertificate();
const skip = made === undefined ? 'there is no openssl' : false;

/** What the platform gives a machine that has an identity. */
const endpoint = createServer((request, response) => {
  const { searchParams } = new URL(request.url!, 'http://localhost');
  asked.push(`${searchParams.get('resource')} ${request.headers['x-identity-header']}`);
  const answer = {
    access_token: token,
    expires_on: String(Math.floor(Date.now() / 1000) + secondsLeft),
    resource: searchParams.get('resource'),
    token_type: 'Bearer',
  };
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
});
const asked: string[] = [];
let token = 'eyJ0eXAi.the-first-token.c2ln';
let secondsLeft = 86_400;

let server: PrivatePostgres;
before(async () => {
  if (made === undefined) return;
  await new Promise<void>(resolve => endpoint.listen(0, '127.0.0.1', resolve));
  const { port } = endpoint.address() as AddressInfo;
  process.env['IDENTITY_ENDPOINT'] = `http://127.0.0.1:${port}/msi/token`;
  process.env['IDENTITY_HEADER'] = HEADER;
  // Nothing that hands out tokens to this machine is behind it.
  process.env['HTTP_PROXY'] = 'http://127.0.0.1:9';
  // In clear within TLS, as Azure has it.
  const rules = join(made.folder, 'pg_hba.conf');
  writeFileSync(rules, 'host all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 password\n');
  chmodSync(rules, 0o644);
  chmodSync(made.folder, 0o711);
  server = await startPrivatePostgres({
    settings: { ssl: 'on', ssl_cert_file: made.certificate, ssl_key_file: made.key, hba_file: rules },
  });
});
after(async () => {
  endpoint.closeAllConnections();
  endpoint.close();
  await server?.dispose();
  if (made) rmSync(made.folder, { recursive: true, force: true });
});

/** The address of a source that is configured so. */
function addressOf(keys: object): PostgresAddress {
  const config = {
    version: 1,
    sources: { db: { type: 'postgres', ...keys } },
    destinations: {},
    models: {},
    activations: {},
  };
  const { sources } = parseConfig({ text: JSON.stringify(config), environment: {} }).config;
  const { db } = sources;
  assert.ok(db?.type === 'postgres');
  return db.address;
}

test('each connection logs in with a token, which is renewed before it expires', { skip }, async () => {
  const database = await server.createDatabase();
  const { port } = new URL(database.url);
  await database.sql(`create role "crm-reader" login password '${token}'`);
  const address = addressOf({
    host: 'localhost',
    port: Number(port),
    database: database.name,
    user: 'crm-reader',
    sslmode: 'verify-full',
    sslrootcert: made!.certificate,
    auth: { identity: 'default' },
  });
  const read = async (): Promise<unknown> =>
    (await readAll(database.url, 'select current_user::text', { address })).rows;
  secondsLeft = 200;
  assert.deepEqual(await read(), [['crm-reader']]);
  assert.deepEqual(new Set(asked), new Set([`${SCOPE.replace('/.default', '')} ${HEADER}`]));

  await database.sql(`alter role "crm-reader" password 'eyJ0eXAi.the-second-token.c2ln'`);
  await assert.rejects(read(), (error: SluiceError) => {
    assert.equal(error.code, 'SOURCE_CREDENTIALS');
    assert.match(error.hint!, /pgaadauth_create_principal/);
    assert.ok(!`${error.message}${error.hint}${error.stack}`.includes('the-first-token'));
    return true;
  });
  token = 'eyJ0eXAi.the-second-token.c2ln';
  secondsLeft = 86_400;
  // The platform's own library may hold the first one until it is nearly over.
  const renewed = addressOf({ ...keysOf(address), auth: { identity: 'default' } });
  assert.deepEqual((await readAll(database.url, 'select 1', { address: renewed })).rows, [['1']]);
});

function keysOf({ hosts: [host], user, database }: PostgresAddress): object {
  const { port } = host!;
  return { host: 'localhost', port, user, database, sslmode: 'require' };
}

/** Gives tokens that are good for an hour of a clock that a test moves. */
class HourlyTokens implements TokenCredential {
  now = 1_000_000;
  given = 0;

  async getToken(): Promise<{ token: string; expiresOnTimestamp: number }> {
    return { token: `token ${++this.given}`, expiresOnTimestamp: this.now + 3_600_000 };
  }
}

test('a token is used until five minutes before its end, and then another', async () => {
  const tokens = new HourlyTokens();
  const identity = new IdentityToken(SCOPE, tokens, () => tokens.now);
  assert.equal(await identity.current(1000), 'token 1');
  tokens.now += 54 * 60_000;
  assert.equal(await identity.current(1000), 'token 1');
  tokens.now += 60_000;
  assert.equal(await identity.current(1000), 'token 2');
});

test('an identity without a token is a matter of credentials, and says what to do', async () => {
  const credentials: TokenCredential[] = [
    { getToken: async () => null },
    {
      getToken: async () => {
        throw new Error('ChainedTokenCredential authentication failed.\nCredentialUnavailableError: no');
      },
    },
  ];
  for (const credential of credentials) {
    await assert.rejects(new IdentityToken(SCOPE, credential).current(1000), (error: SluiceError) => {
      assert.equal(error.code, 'SOURCE_CREDENTIALS');
      assert.match(error.message, /^no token for https:\/\/ossrdbms-aad/);
      assert.doesNotMatch(error.message, /\n/);
      assert.match(error.hint!, /managed identity/);
      return true;
    });
  }
});

const REFUSED: [what: string, keys: object, message: RegExp][] = [
  ['without TLS', {}, /auth logs in with a token, .* sslmode is prefer; expected sslmode require/],
  ['with TLS that is not needed', { sslmode: 'allow' }, /sslmode logs in with a token, .* sslmode is allow/],
  ['beside a password', { sslmode: 'require', password: 'secret' }, /auth stands beside a password/],
  ['without a user', { sslmode: 'require', user: undefined }, /auth needs a user/],
  ['over a socket', { sslmode: 'require', host: '/run/postgresql' }, /auth logs in .* folder of a socket/],
];

for (const [what, keys, message] of REFUSED) {
  test(`an identity is refused ${what}`, () => {
    const given = { host: 'db', database: 'crm', user: 'crm-reader', auth: { identity: 'default' }, ...keys };
    assert.throws(() => addressOf(given), message);
  });
}

test('a password in the URL or in the environment is not sent beside a token', () => {
  const auth = { identity: 'default' };
  assert.throws(
    () => addressOf({ url: 'postgresql://crm:secret@db/crm?sslmode=require', auth }),
    /auth stands beside a password/,
  );
  const { identity, password, passwordFile } = addressOf({
    url: 'postgresql://crm@db/crm?sslmode=require',
    auth: { ...auth, scope: 'https://other/.default' },
  });
  assert.deepEqual(
    [identity?.scope, password, passwordFile],
    ['https://other/.default', undefined, undefined],
  );
});
