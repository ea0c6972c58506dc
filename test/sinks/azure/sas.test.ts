import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { parseSasToken } from '../../../src/addresses/sas-token.ts';
import { SluiceError } from '../../../src/errors.ts';
import { checkSas, describeSas, type SasDescription } from '../../../src/sinks/azure/sas.ts';

const CONTAINER =
  'sv=2025-01-05&st=2025-04-01T00%3A00%3A00Z&se=2025-05-01T00:00:00Z&sr=c&sp=rcw&spr=https&sip=10.0.0.1-10.0.0.9&sig=Y2FuYXJ5%2Bx%3D';
const HTTPS = 'https://acme.blob.core.windows.net/exports';

const failsWith = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SluiceError);
  assert.equal(error.code, code);
  assert.match(error.message, message);
  assert.doesNotMatch(inspect(error, { depth: 9 }), /Y2FuYXJ5/);
  return true;
};
const describe = (token: string): SasDescription => describeSas(parseSasToken(token));
const check = (token: string, url = HTTPS) => checkSas(describe(token), url);
const changed = (name: string, value?: string): string => {
  const query = new URLSearchParams(CONTAINER);
  if (value === undefined) query.delete(name);
  else query.set(name, value);
  return query.toString();
};

test('reads what a token for a container says of itself', () => {
  assert.deepEqual(describe(CONTAINER), {
    kind: 'service',
    permissions: 'rcw',
    startsOn: new Date('2025-04-01T00:00:00Z'),
    expiresOn: new Date('2025-05-01T00:00:00Z'),
    protocol: 'https',
    ipRange: '10.0.0.1-10.0.0.9',
    resource: 'container',
    services: undefined,
    resourceTypes: undefined,
    policy: undefined,
  });
  check(CONTAINER);
});

test('tells tokens of an account, of a user, and those completed by a stored policy', () => {
  const account = describe('sv=1&ss=bq&srt=co&sp=rw&se=2025-05-01&sig=x');
  assert.deepEqual(
    [account.kind, account.resource, account.services, account.resourceTypes],
    ['account', 'account', 'bq', 'co'],
  );
  assert.deepEqual(account.expiresOn, new Date('2025-05-01T00:00:00Z'));
  assert.equal(describe('sv=1&sr=d&skoid=a&sp=w&sig=x').kind, 'user delegation');
  const stored = describe('sv=1&sr=c&si=daily&sig=x');
  assert.deepEqual([stored.policy, stored.permissions, stored.expiresOn], ['daily', undefined, undefined]);
  checkSas(stored, HTTPS);
});

test('a token of a user begins and ends with the key that signed it, too', () => {
  const { startsOn, expiresOn } = describe(
    `${CONTAINER}&skoid=a&skt=2025-04-02T00%3A00%3A00Z&ske=2025-04-08T00%3A00%3A00Z`,
  );
  assert.deepEqual(
    [startsOn, expiresOn],
    [new Date('2025-04-02T00:00:00Z'), new Date('2025-04-08T00:00:00Z')],
  );
});

test('names the permission that is missing: create alone cannot write blocks', () => {
  const error = failsWith('DESTINATION_PERMISSION', /lacks write \(w\); it has `rc`/);
  assert.throws(() => check(changed('sp', 'rc')), error);
  const blind = failsWith('DESTINATION_PERMISSION', /lacks read \(r\); it has `cw`/);
  assert.throws(() => check(changed('sp', 'cw')), blind);
  assert.throws(() => check('sv=1&ss=q&srt=o&sp=rw&sig=x'), failsWith('DESTINATION_PERMISSION', /ss=b/));
  assert.throws(() => check('sv=1&ss=b&srt=s&sp=rw&sig=x'), failsWith('DESTINATION_PERMISSION', /srt=o/));
  assert.throws(() => check(changed('sr', 'b')), failsWith('DESTINATION_PERMISSION', /single blob/));
});

test('refuses a token for https at an http address', () => {
  const error = failsWith('DESTINATION_CREDENTIALS', /https only/);
  assert.throws(() => check(CONTAINER, 'http://127.0.0.1:10000/a/exports'), error);
  check(changed('spr', 'https,http'), 'http://127.0.0.1:10000/a/exports');
});
