import assert from 'node:assert/strict';
import test from 'node:test';
import { Redactor, Secret } from '../../../src/config/secrets.ts';
import { createLog, type LogOptions } from '../../../src/daemon/log/log.ts';
import type { Log, LogFields } from '../../../src/daemon/parts.ts';
import { SluiceError } from '../../../src/errors.ts';

const CANARY = 'cAnArY4711';

interface Written {
  readonly log: Log;
  readonly chunks: string[];
  lines(): Record<string, unknown>[];
}

function written(options: Partial<LogOptions> = {}): Written {
  const chunks: string[] = [];
  const log = createLog({
    format: 'json',
    destination: { write: line => chunks.push(line) },
    redactor: new Redactor([new Secret(CANARY)]),
    now: () => new Date('2026-06-01T12:34:56.789Z'),
    ...options,
  });
  return { log, chunks, lines: () => chunks.map(chunk => JSON.parse(chunk)) };
}

test('a line is one JSON object with time, level and message, then the fields', () => {
  const { log, chunks } = written();
  log.info({ run: 'r1', activation: 'a', rows: 3, slow: false, nothing: undefined }, 'a run ended');
  assert.deepEqual(chunks, [
    '{"level":"info","time":"2026-06-01T12:34:56.789Z","run":"r1","activation":"a","rows":3,"slow":false,"message":"a run ended"}\n',
  ]);
});

test('levels below the one asked for are left out', () => {
  const levels = (level?: LogOptions['level']): unknown[] => {
    const { log, lines } = written(level === undefined ? {} : { level });
    for (const at of ['debug', 'info', 'warn', 'error'] as const) log[at]({}, at);
    return lines().map(line => line['level']);
  };
  assert.deepEqual(levels(), ['info', 'warn', 'error']);
  assert.deepEqual(levels('debug'), ['debug', 'info', 'warn', 'error']);
  assert.deepEqual(levels('error'), ['error']);
});

test('a field takes the place of nothing that the line has itself', () => {
  const { log, chunks, lines } = written();
  log.info({ time: 1, level: 'x', message: 'y' }, 'the message');
  assert.deepEqual(lines()[0], {
    level: 'info',
    time: '2026-06-01T12:34:56.789Z',
    time_: 1,
    level_: 'x',
    message_: 'y',
    message: 'the message',
  });
  assert.equal(chunks[0]?.match(/"message":/g)?.length, 1);
});

test('an error of the world is told with code, hint and causes; a defect with its stack', () => {
  const { log, lines } = written();
  const socket = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const driver = new TypeError('cannot connect', { cause: new AggregateError([socket], 'all failed') });
  log.error({ error: new SluiceError('SOURCE_CONNECT_FAILED', 'no database', { cause: driver }) }, 'failed');
  assert.deepEqual(lines()[0]?.['error'], {
    code: 'SOURCE_CONNECT_FAILED',
    category: 'connection',
    message: 'no database',
    hint: 'check that the database is up and that host and port are right',
    causes: ['TypeError: cannot connect', 'AggregateError: all failed', 'connect ECONNREFUSED'],
  });
  log.error({ error: new RangeError('out of range') }, 'a defect');
  const { message, stack } = lines()[1]!['error'] as Record<string, string>;
  assert.equal(message, 'RangeError: out of range');
  assert.match(stack!, /log\.test\.ts/);
  log.error({ error: 'a text' }, 'thrown');
  assert.deepEqual(lines()[2]?.['error'], { message: 'a text' });
});

test('whatever fields hold, the line is one line of JSON of bounded length', () => {
  const { log, chunks, lines } = written();
  const cycle: Record<string, unknown> = { big: 2n ** 70n, date: new Date(0), invalid: new Date(Number.NaN) };
  cycle['itself'] = cycle;
  const looped = new Error('outer');
  looped.cause = new Error('inner', { cause: looped });
  let deep: unknown = 'bottom';
  for (let level = 0; level < 100; level++) deep = { deep };
  const fields: LogFields = {
    cycle,
    error: looped,
    deep,
    act: () => {},
    symbol: Symbol('s'),
    bytes: Buffer.from(CANARY),
    set: new Set([1]),
    long: 'x'.repeat(1_000_000),
    lines: 'a\r\nb\u2028c',
    lone: '\ud800',
    ['__proto__' as string]: 'p',
  };
  log.info(fields, `${'m'.repeat(1_000_000)}\nnext`);
  assert.equal(chunks.length, 1);
  assert.equal(chunks[0]!.indexOf('\n'), chunks[0]!.length - 1);
  assert.ok(chunks[0]!.length < 40_000, `${chunks[0]!.length} characters`);
  const line = lines()[0]!;
  const cycled = line['cycle'] as Record<string, unknown>;
  assert.equal(cycled['big'], '1180591620717411303424');
  assert.equal(cycled['date'], '1970-01-01T00:00:00.000Z');
  assert.equal(cycled['invalid'], null);
  assert.match(line['long'] as string, /^x+… \(1000000 characters\)$/);
});

/** Every place in which a secret has been seen in logs. */
function plantedFields(secret: string): LogFields[] {
  const url = `https://acme.blob.core.windows.net/c/b?sv=1&sig=${secret}&se=2027`;
  const cause = Object.assign(new Error(`connect postgres://reader:${secret}@db:5432/crm`), {
    config: { headers: { authorization: `Bearer ${secret}` }, url },
    request: { url },
  });
  class Odd extends Error {
    readonly details = { nested: [{ token: secret }] };
  }
  return [
    { plain: secret, nested: { list: [secret, { deeper: `x${secret}y` }] } },
    { [`key ${secret}`]: 1 },
    { url: new URL(url), encoded: encodeURIComponent(`sig=${secret}`) },
    { connection: `AccountName=a;AccountKey=${secret};EndpointSuffix=core.windows.net` },
    { password: `password='${secret}'`, map: new Map([[secret, secret]]) },
    { base64: Buffer.from(secret).toString('base64'), bytes: Buffer.from(secret) },
    { error: cause },
    { error: new SluiceError('SOURCE_CONNECT_FAILED', `no way to ${url}`, { cause, hint: `use ${secret}` }) },
    { error: new Error('outer', { cause: new Odd('middle', { cause }) }) },
    { error: new AggregateError([cause, new Error(secret)], 'several') },
    { error: { thrown: secret } },
    { error: `thrown ${url}` },
    { wrapped: { error: new Odd(`inside ${secret}`) } },
    { secret: new Secret(secret) },
  ];
}

for (const format of ['json', 'pretty'] as const) {
  test(`no secret that is known is written, wherever it stands (${format})`, () => {
    const secret = `${CANARY}+/=`;
    const { log, chunks } = written({ format, level: 'debug', redactor: new Redactor([new Secret(secret)]) });
    for (const fields of plantedFields(secret)) log.error(fields, `message of ${secret} and sig=${secret}`);
    const text = chunks.join('');
    assert.equal(chunks.length, plantedFields(secret).length);
    assert.ok(!text.includes(CANARY), text);
    assert.ok(!text.includes(Buffer.from(secret).toString('base64')), text);
    assert.ok(text.includes('(hidden)'));
  });

  test(`what looks like a secret is not written, though nobody knows it (${format})`, () => {
    const { log, chunks } = written({ format, redactor: new Redactor() });
    const patterned = {
      sas: `https://a.blob.core.windows.net/c?sv=1&sig=${CANARY}`,
      database: `postgres://reader:${CANARY}@db/crm`,
      key: `AccountKey=${CANARY}`,
      header: `authorization: Bearer ${CANARY}`,
      setting: `password=${CANARY}`,
      error: new Error(`outer`, { cause: new Error(`GET https://h/?sig=${CANARY}`) }),
    };
    log.error(patterned, `failed at postgres://reader:${CANARY}@db/crm`);
    assert.ok(!chunks.join('').includes(CANARY), chunks.join(''));
  });
}

test('a reload brings new secrets, which are hidden from then on', () => {
  let redactor = new Redactor();
  const { log, chunks } = written({ redactor: () => redactor });
  redactor = new Redactor([CANARY]);
  log.info({ seen: CANARY }, CANARY);
  assert.ok(!chunks.join('').includes(CANARY));
});

test('pretty lines are for people: one line, then what went wrong on lines of its own', () => {
  const { log, chunks } = written({ format: 'pretty' });
  log.info({ run: 'r1', activation: 'a', note: 'two words', counts: { read: 3 } }, 'a run ended');
  log.warn({}, 'nothing more');
  const cause = new Error('connect ECONNREFUSED');
  log.error(
    { run: 'r1', error: new SluiceError('SOURCE_CONNECT_FAILED', 'no database', { cause }) },
    'failed',
  );
  log.error(
    { error: new SluiceError('CONFIG_INVALID', 'two problems:\n  one\n  two', { hint: 'fix them' }) },
    'refused',
  );
  assert.equal(
    chunks.pop(),
    `2026-06-01 12:34:56.789 ERROR refused
    CONFIG_INVALID: two problems:
      one
      two
    hint: fix them
`,
  );
  assert.deepEqual(chunks, [
    '2026-06-01 12:34:56.789 INFO  a run ended run=r1 activation=a note="two words" counts={"read":3}\n',
    '2026-06-01 12:34:56.789 WARN  nothing more\n',
    `2026-06-01 12:34:56.789 ERROR failed run=r1
    SOURCE_CONNECT_FAILED: no database
    hint: check that the database is up and that host and port are right
    cause: connect ECONNREFUSED
`,
  ]);
});

test('what others say can neither begin a line nor move the cursor of a terminal', () => {
  const { log, chunks } = written({ format: 'pretty' });
  const hostile = 'x\r\n2026-06-01 ERROR forged\u001b[2J\u009b1m\u2028y';
  log.info({ name: hostile, [hostile]: 1, error: new SluiceError('USAGE', hostile) }, hostile);
  const text = chunks.join('');
  assert.equal(text.split('\n').length, 4, text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u2028]/);
});

test('colours are used where they are asked for only', () => {
  const { log: plain, chunks } = written({ format: 'pretty' });
  plain.warn({ a: 1 }, 'm');
  const { log: coloured, chunks: painted } = written({ format: 'pretty', colors: true });
  coloured.warn({ a: 1 }, 'm');
  assert.ok(!chunks[0]?.includes('\u001b'));
  assert.ok(painted[0]?.includes('\u001b[33mWARN \u001b[0m'));
});
