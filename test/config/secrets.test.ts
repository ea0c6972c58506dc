import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Redactor, Secret } from '../../src/config/secrets.ts';
import { SluiceError } from '../../src/errors.ts';

test('a secret shows itself to nobody but reveal', () => {
  const secret = new Secret('canary-value');
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }, { depth: 9, showHidden: true }),
  ];
  for (const text of shown) {
    assert.ok(!text.includes('canary'), text);
    assert.ok(text.includes('(hidden)'), text);
  }
  assert.deepEqual(Object.keys(secret), []);
  assert.equal(secret.reveal(), 'canary-value');
});

test('hides a secret however it is spelt', () => {
  const secret = 'p@ss w+rd/ö=';
  const redactor = new Redactor([new Secret(secret)]);
  const spellings = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    encodeURIComponent(encodeURIComponent(secret)),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
  ];
  for (const spelling of spellings) assert.equal(redactor.clean(`<${spelling}>`), '<(hidden)>');
});

test('hides the password of a URL, the signature of a SAS and the key of a connection string alone', () => {
  const redactor = new Redactor([
    'postgres://me:s3cr%2Ft-pw@db/x?sslpassword=opensesame',
    '?sv=2024&sp=r&sig=AbC%2BdEf%3D',
    'DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5a2V5a2V5==;EndpointSuffix=core.windows.net',
    'https://hooks.slack.com/services/T0/B0/abcdefghijkl',
  ]);
  const text = 's3cr%2Ft-pw s3cr/t-pw opensesame AbC%2BdEf%3D AbC+dEf= a2V5a2V5a2V5== abcdefghijkl';
  assert.equal(redactor.clean(text), Array(7).fill('(hidden)').join(' '));
  assert.equal(
    redactor.clean('db acme core.windows.net hooks.slack.com'),
    'db acme core.windows.net hooks.slack.com',
  );
});

test('hides by pattern what it was never told', () => {
  const redactor = new Redactor();
  const cases: [string, string][] = [
    ['https://a.blob/c?sv=1&sig=abc%2B&se=2', 'https://a.blob/c?sv=1&sig=(hidden)&se=2'],
    ['AccountKey=abc==;EndpointSuffix=x', 'AccountKey=(hidden);EndpointSuffix=x'],
    ["host=db password='a b' user=x", 'host=db password=(hidden) user=x'],
    ["PASSWORD='p''w' x", 'PASSWORD=(hidden) x'],
    ["cut off: password='a b", 'cut off: password=(hidden)'],
    ["cut off: password='a b\\", 'cut off: password=(hidden)'],
    ["password=''sig=x", 'password=(hidden)'],
    ['cut off: {"webhook": "https://a', 'cut off: {"webhook": (hidden)'],
    ['{"dsn":"password=abc","port":1}', '{"dsn":"password=(hidden)","port":1}'],
    ['postgres://user:p@ss/w#rd@host/db', 'postgres://user:(hidden)@host/db'],
    ['"authorization": "Bearer abc.def"', '"authorization": "Bearer (hidden)"'],
    ['the design=good signature', 'the design=good signature'],
    ['https://host:443/path', 'https://host:443/path'],
  ];
  for (const [text, expected] of cases) assert.equal(redactor.clean(text), expected);
});

test('a short secret is hidden by pattern only, so that text is not shredded', () => {
  const redactor = new Redactor(['postgres://me:ab@db/x']);
  assert.equal(redactor.clean('about a cab'), 'about a cab');
  assert.equal(redactor.clean('postgres://me:ab@db/x'), '(hidden)');
  assert.equal(redactor.clean('postgres://me:ab@db/y'), 'postgres://me:(hidden)@db/y');
});

test('cleans an error, its causes and its properties, and keeps its class and code', () => {
  const redactor = new Redactor([new Secret('canary-value')]);
  const inner = Object.assign(new Error('inner canary-value'), {
    request: { url: new URL('https://x/?sig=canary-value'), headers: new Map([['a', 'canary-value']]) },
    'canary-value': 1,
    body: Buffer.from('canary-value'),
  });
  Object.assign(inner, { self: inner });
  const cause = new AggregateError([inner], 'many canary-value');
  const error = new SluiceError('SOURCE_CONNECT_FAILED', 'failed: canary-value', {
    cause,
    hint: 'try canary-value',
  });
  const cleaned = redactor.cleanError(error) as SluiceError;
  assert.ok(cleaned instanceof SluiceError);
  assert.equal(cleaned.code, 'SOURCE_CONNECT_FAILED');
  assert.equal(cleaned.exitCode, 75);
  assert.equal(cleaned.message, 'failed: (hidden)');
  assert.ok(cleaned.stack?.includes('secrets.test'));
  assert.ok((cleaned.cause as AggregateError).errors[0] instanceof Error);
  assert.ok(!inspect(cleaned, { depth: 20, showHidden: true }).includes('canary'));
  assert.equal(error.message, 'failed: canary-value');
});

test('no secret of four characters or more survives cleaning, in any text and spelling', () => {
  const secret = fc
    .string({ minLength: 4, maxLength: 30, unit: 'grapheme' })
    .filter(text => !'(hidden)'.includes(text));
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
      const redactor = new Redactor([value]);
      for (const spelling of [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]) {
        assert.ok(!redactor.clean(before + spelling + after).includes(spelling));
      }
    }),
  );
});

/** Texts in which secrets are likely. */
const texts = fc
  .array(
    fc.constantFrom(
      'sig=',
      'password=',
      'postgres://a:',
      '@',
      '/',
      '&',
      ' ',
      'word',
      '"',
      "'",
      '\\',
      'canary-value',
      '%3D',
      '"password": "',
      'authorization: Bearer ',
    ),
    { maxLength: 12 },
  )
  .map(pieces => pieces.join(''));

test('cleaning twice is cleaning once', () => {
  const redactor = new Redactor(['canary-value']);
  fc.assert(
    fc.property(texts, sample =>
      assert.equal(redactor.clean(redactor.clean(sample)), redactor.clean(sample)),
    ),
    { numRuns: 3000, examples: [["password=''sig="], ['password=""sig=']] },
  );
});

test('JSON is made of what cleaning leaves of a value', () => {
  const value = fc.letrec(tie => ({
    any: fc.oneof(texts, fc.double(), fc.boolean(), fc.constant(null), tie('list'), tie('object')),
    list: fc.array(tie('any'), { maxLength: 4 }),
    object: fc.dictionary(fc.oneof(texts, fc.constantFrom('run', 'webhook')), tie('any'), { maxKeys: 4 }),
  })).any;
  for (const redactor of [new Redactor(['canary-value', 'a"b\\c', 'true']), new Redactor()]) {
    fc.assert(
      fc.property(value, sample =>
        assert.equal(redactor.toJson(sample), JSON.stringify(redactor.cleanValue(sample))),
      ),
      {
        numRuns: 2000,
        examples: [[{ text: 'a"b\\c' }], [{ text: 'a\\"b\\\\c' }], [{ text: 'plain', number: 1 }]],
      },
    );
  }
});
