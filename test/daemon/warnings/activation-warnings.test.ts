import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { Notification } from '../../../src/daemon/notify/notification.ts';
import {
  ActivationWarnings,
  type NotificationSink,
  WARNINGS_DOCUMENT,
} from '../../../src/daemon/warnings/activation-warnings.ts';
import { WARNING_RULES } from '../../../src/daemon/warnings/warning-rules.ts';
import { SluiceError } from '../../../src/errors.ts';
import type { RunRecord, RunWarning } from '../../../src/history/run-record.ts';
import { activation } from '../support/activations.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { failure, record } from '../support/records.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

class World {
  readonly clock = new ManualClock('2026-06-10T00:00:00Z');
  readonly documents = new MemoryDocuments();
  readonly log = new MemoryLog();
  readonly told: Notification[] = [];
  beforeAdd: () => void = () => {};
  warnings = this.#make();
  /** The newest first. */
  #previous: RunRecord[] = [];

  #make(): ActivationWarnings {
    const { clock, documents, log } = this;
    const notifications: NotificationSink = {
      open: async () => {},
      add: async added => {
        this.beforeAdd();
        this.told.push(...added);
      },
      undelivered: () => [],
      counts: { waiting: 0, lost: 0 },
      close: async () => {},
    };
    return new ActivationWarnings({ clock, documents, log, notifications });
  }

  async restart(): Promise<void> {
    this.warnings = this.#make();
    await this.warnings.open();
  }

  /** Runs end, one after the other. Returns what is told of each, as `CODE raised`. */
  async end(of: ResolvedActivation, ...records: RunRecord[]): Promise<string[][]> {
    const told: string[][] = [];
    for (const ended of records) {
      const before = this.told.length;
      await this.warnings.runEnded(of, ended, this.#previous);
      this.#previous = [ended, ...this.#previous];
      told.push(this.told.slice(before).map(({ code, event }) => `${code} ${event}`));
    }
    return told;
  }

  /** Time has passed, since a success where there was one. */
  passed(of: ResolvedActivation, lastSuccess?: string): Promise<void> {
    const at = lastSuccess === undefined ? undefined : new Date(lastSuccess);
    return this.warnings.timePassed([of], () => at);
  }

  active(name = 'a'): string[] {
    return this.warnings.active(name).map(({ code }) => code);
  }
}

const FAR_SAS = { AZURE_SAS_TOKEN: 'sv=1&sp=rw&sig=abc&se=2027-01-01T00:00:00Z' };
const plain = (keys: Record<string, unknown> = {}): ResolvedActivation => activation('a', keys, FAR_SAS);

test('a run that fails is told once, however often it fails, and that it works again is told once', async () => {
  const world = new World();
  const told = await world.end(
    plain(),
    record('succeeded'),
    failure('SOURCE_CONNECT_FAILED'),
    failure('SOURCE_CONNECT_FAILED'),
    failure('DESTINATION_TIMEOUT'),
    record('cancelled'),
    record('succeeded'),
    record('succeeded'),
  );
  assert.deepEqual(told, [[], ['RUN_FAILED raised'], [], [], [], ['RUN_FAILED recovered'], []]);
});

test('what is told says which run, since when, how grave, and why', async () => {
  const world = new World();
  const failed = failure('SOURCE_CONNECT_FAILED', 'no route to db.example.com');
  const good = record('succeeded');
  await world.end(plain(), failed, good);
  const since = failed.endedAt!;
  const [raised, recovered] = world.told;
  assert.deepEqual(
    { ...raised, id: undefined },
    {
      id: undefined,
      event: 'raised',
      code: 'RUN_FAILED',
      severity: 'error',
      activation: 'a',
      run: failed.run,
      message: 'SOURCE_CONNECT_FAILED: no route to db.example.com',
      since,
      at: since,
    },
  );
  assert.deepEqual(
    [recovered?.event, recovered?.run, recovered?.since, recovered?.at],
    ['recovered', good.run, since, good.endedAt],
  );
  assert.notEqual(raised?.id, recovered?.id);
});

test('a warning that holds keeps when and by which run it was raised, and takes the newest message', async () => {
  const world = new World();
  const first = failure('SOURCE_CONNECT_FAILED', 'one');
  await world.end(plain(), first, failure('DESTINATION_TIMEOUT', 'two'));
  assert.deepEqual(world.warnings.active('a'), [
    { code: 'RUN_FAILED', message: 'DESTINATION_TIMEOUT: two', since: first.endedAt, run: first.run },
  ]);
});

test('a recovered run is a success, and a held one neither success nor failure', async () => {
  const world = new World();
  const told = await world.end(
    plain(),
    failure('SOURCE_TIMEOUT'),
    record('held', { warnings: ['HELD'] }),
    record('held', { warnings: ['HELD'] }),
    record('recovered'),
  );
  assert.deepEqual(told, [
    ['RUN_FAILED raised'],
    ['HELD raised'],
    [],
    ['RUN_FAILED recovered', 'HELD recovered'],
  ]);
});

/** Warnings that stand in the record of a run; whether their end is told. */
const IN_RECORD: readonly (readonly [RunWarning['code'], told: boolean])[] = [
  ['EMPTY_RESULT', true],
  ['DUPLICATE_KEYS', true],
  ['NULL_KEYS', true],
  ['SLOW_RUN', true],
  ['VALUE_COERCED', true],
  ['STALE_PARTS_LEFT', true],
  ['COMPLETION_STOOD', true],
  ['RECORD_NOT_KEPT', true],
  ['REMOVALS_OVER', false],
  ['FOREIGN_BLOB_OVERWRITTEN', false],
  ['APPEND_PART_MISSING', false],
  ['DELTA_OVERWRITTEN', false],
  ['MANIFESTS_LEFT', false],
  ['COLUMNS_CHANGED', false],
  ['DESTINATION_RESET', false],
  ['STATE_LOST', false],
  ['STATE_STALE', false],
  ['SOURCE_MOVED', false],
  ['SOURCE_FAILED_OVER', false],
];
for (const [code, isTold] of IN_RECORD) {
  test(`${code} is raised by the first run that says it, and over with the first that could and does not`, async () => {
    const world = new World();
    const told = await world.end(
      plain(),
      record('succeeded'),
      record('succeeded', { warnings: [code] }),
      record('succeeded', { warnings: [code] }),
      record('cancelled'),
      record('succeeded', { warnings: ['EXISTS_SKIPPED'] }),
    );
    assert.deepEqual(told, [[], [`${code} raised`], [], [], []]);
    assert.deepEqual(world.active(), [code]);
    const over = await world.end(plain(), record('succeeded'));
    assert.deepEqual(over, [isTold ? [`${code} recovered`] : []]);
    assert.deepEqual(world.active(), []);
  });
}

test('many messages of one code are one warning', async () => {
  const world = new World();
  const overwritten = [1, 2, 3, 4, 5].map(
    file => ({ code: 'FOREIGN_BLOB_OVERWRITTEN', message: `file ${file}` }) as const,
  );
  await world.end(plain(), record('succeeded', { warnings: overwritten }));
  assert.deepEqual(
    world.told.map(({ message }) => message),
    ['file 1; file 2; file 3; and 2 more'],
  );
});

test('keys that make a run fail are warned of beside the failure', async () => {
  const world = new World();
  const told = await world.end(
    plain(),
    failure('KEY_DUPLICATE', 'keys repeat'),
    failure('KEY_NULL', 'keys are null'),
    record('succeeded'),
  );
  assert.deepEqual(told, [
    ['RUN_FAILED raised', 'DUPLICATE_KEYS raised'],
    ['NULL_KEYS raised'],
    ['RUN_FAILED recovered', 'DUPLICATE_KEYS recovered', 'NULL_KEYS recovered'],
  ]);
});

test('rows that drop or spike are warned of against the last run that read everything', async () => {
  const world = new World();
  const limited = plain({ warnings: { rowsDroppedOver: '20%', rowsSpikedOver: '50%' } });
  const told = await world.end(
    limited,
    record('succeeded', { read: 100 }),
    record('succeeded', { read: 80 }),
    failure('SOURCE_TIMEOUT'),
    record('succeeded', { read: 0, warnings: ['EXISTS_SKIPPED'] }),
    record('recovered', { read: 63 }),
    record('cancelled', { read: 0 }),
    record('succeeded', { read: 63 }),
    record('succeeded', { read: 95 }),
  );
  assert.deepEqual(told, [
    [],
    [],
    ['RUN_FAILED raised'],
    ['RUN_FAILED recovered'],
    ['ROWS_DROPPED raised'],
    [],
    ['ROWS_DROPPED recovered'],
    ['ROWS_SPIKED raised'],
  ]);
  const messages = world.told.map(({ message }) => message);
  assert.ok(messages.includes('the source returned 63 rows, and 80 in the last run: over 20 % fewer'));
  assert.ok(messages.includes('the source returned 63 rows, after 63 in the run before'));
});

test('that no run has succeeded for too long is told when time has passed, and over with a success', async () => {
  const world = new World();
  const watched = plain({ warnings: { noSuccessFor: '1d' } });
  const passed = (lastSuccess?: string): Promise<void> => world.passed(watched, lastSuccess);
  await passed();
  await world.clock.pass(DAY);
  await passed();
  assert.deepEqual(world.active(), []);
  await world.clock.pass(1000);
  await passed();
  await passed();
  assert.deepEqual(
    world.told.map(({ code, event, message }) => `${code} ${event} ${message}`),
    ['NO_SUCCESS raised no run has succeeded since 2026-06-10T00:00:00.000Z, for more than 1d'],
  );
  assert.deepEqual(await world.end(watched, failure('SOURCE_TIMEOUT')), [['RUN_FAILED raised']]);
  assert.deepEqual(await world.end(watched, record('succeeded')), [
    ['RUN_FAILED recovered', 'NO_SUCCESS recovered'],
  ]);
  await world.clock.pass(2 * DAY);
  await passed('2026-06-11T06:00:00Z');
  assert.deepEqual(world.active(), ['NO_SUCCESS']);
  await passed('2026-06-12T23:00:00Z');
  assert.deepEqual(world.active(), []);
});

test('that no run succeeds is told in time though the clock was set back', async () => {
  const world = new World();
  const watched = plain({ warnings: { noSuccessFor: '1d' } });
  const passed = (lastSuccess?: string): Promise<void> => world.passed(watched, lastSuccess);
  await passed();
  world.clock.set('2020-01-01T00:00:00Z');
  await passed('2026-06-09T00:00:00Z');
  assert.deepEqual(world.active(), [], 'time counts again');
  await world.clock.pass(DAY + 1000);
  await passed('2026-06-09T00:00:00Z');
  assert.deepEqual(world.active(), ['NO_SUCCESS']);
  await passed('2020-01-02T00:00:00Z');
  assert.deepEqual(world.active(), []);
});

test('however many activations time has passed for, what holds is kept by one write', async () => {
  const world = new World();
  const many = Array.from({ length: 50 }, (_, index) =>
    activation(`a${index}`, { warnings: { noSuccessFor: '1h' } }),
  );
  const { writes } = world.documents;
  await world.warnings.timePassed(many, () => new Date(0));
  assert.equal(world.told.length, 50);
  assert.equal(world.documents.writes - writes, 1);
  await world.restart();
  assert.deepEqual(
    many.map(({ name }) => world.warnings.active(name).map(({ code }) => code)),
    many.map(() => ['NO_SUCCESS']),
  );
});

test('since when an activation is watched is remembered over a restart', async () => {
  const world = new World();
  const watched = plain({ warnings: { noSuccessFor: '1d' } });
  const passed = (): Promise<void> => world.warnings.timePassed([watched], () => undefined);
  await passed();
  await world.clock.pass(20 * HOUR);
  await world.restart();
  await passed();
  await world.clock.pass(5 * HOUR);
  await passed();
  assert.deepEqual(world.active(), ['NO_SUCCESS']);
});

test('a SAS token is warned of once before it expires, stays warned of after, and a new one ends that', async () => {
  const world = new World();
  const sas = (expires: string): ResolvedActivation =>
    activation(
      'a',
      { warnings: { sasExpiresWithin: '7d' } },
      { AZURE_SAS_TOKEN: `sv=1&sig=abc&se=${expires}` },
    );
  const passed = (of: ResolvedActivation): Promise<void> => world.warnings.timePassed([of], () => new Date());
  const old = sas('2026-06-17T06:00:00Z');
  await passed(old);
  assert.deepEqual(world.active(), []);
  await world.clock.pass(7 * HOUR);
  await passed(old);
  await passed(old);
  assert.deepEqual(
    world.warnings.active('a')[0]?.message,
    'the SAS token of lake expires at 2026-06-17T06:00:00.000Z',
  );
  await world.clock.pass(8 * DAY);
  await passed(old);
  assert.deepEqual(
    world.warnings.active('a')[0]?.message,
    'the SAS token of lake expired at 2026-06-17T06:00:00.000Z',
  );
  await passed(sas('2026-09-01T00:00:00Z'));
  assert.deepEqual(
    world.told.map(({ code, event }) => `${code} ${event}`),
    ['SAS_EXPIRES raised', 'SAS_EXPIRES recovered'],
  );
  assert.ok(!JSON.stringify([world.told, world.log.lines, [...world.documents.texts]]).includes('abc'));
});

test('an expiring SAS token is found at the end of a run too', async () => {
  const world = new World();
  const soon = activation('a', {}, { AZURE_SAS_TOKEN: 'sv=1&sig=abc&se=2026-06-12T00:00:00Z' });
  assert.deepEqual(await world.end(soon, record('succeeded')), [['SAS_EXPIRES raised']]);
});

test('a SAS token expires by the clock of its service, whatever the clock of this machine says', async () => {
  const world = new World();
  const week = activation(
    'a',
    { warnings: { sasExpiresWithin: '7d' } },
    { AZURE_SAS_TOKEN: 'sv=1&sig=abc&se=2026-06-20T00:00:00Z' },
  );
  const messages = (): string[] => world.warnings.active('a').map(({ message }) => message);
  // This machine is four days behind: six days are left, not ten.
  world.warnings.clockSeen('a', 4 * DAY);
  await world.passed(week);
  assert.deepEqual(messages(), ['the SAS token of lake expires at 2026-06-20T00:00:00.000Z']);
  await world.restart();
  await world.passed(week);
  await world.clock.pass(6 * DAY + HOUR);
  await world.end(week, record('succeeded'));
  assert.deepEqual(messages(), ['the SAS token of lake expired at 2026-06-20T00:00:00.000Z']);
  // And now it is twelve days ahead.
  world.warnings.clockSeen('a', -12 * DAY);
  await world.passed(week);
  assert.deepEqual(messages(), []);
});

test('an activation that pauses itself is told of until it is resumed; one that a user pauses is not', async () => {
  const world = new World();
  const since = '2026-06-10T00:00:00.000Z';
  await world.warnings.paused(plain(), { by: 'user', since, reason: 'upgrade' });
  await world.warnings.resumed(plain());
  assert.deepEqual(world.told, []);
  await world.warnings.paused(plain(), { by: 'failures', since, reason: '5 runs failed at the source' });
  await world.warnings.paused(plain(), { by: 'failures', since, reason: '5 runs failed at the source' });
  assert.deepEqual(world.active(), ['PAUSED']);
  await world.warnings.resumed(plain());
  assert.deepEqual(
    world.told.map(({ code, event, message }) => `${code} ${event} ${message}`),
    ['PAUSED raised 5 runs failed at the source', 'PAUSED recovered the activation was resumed'],
  );
});

test('a decided run that cannot be finished is told of once, until it is finished or given up', async () => {
  const world = new World();
  const waiting = { ...failure('DESTINATION_NOT_FOUND', 'no container'), state: 'queued' } as const;
  await world.warnings.unfinished(plain(), waiting);
  await world.warnings.unfinished(plain(), waiting);
  assert.deepEqual(world.active(), ['RUN_UNFINISHED']);
  const [{ event, severity, run, message } = {}, ...more] = world.told;
  assert.deepEqual([event, severity, run, more], ['raised', 'error', waiting.run, []]);
  assert.match(message ?? '', /decided and cannot be finished: DESTINATION_NOT_FOUND: no container/);
  assert.deepEqual(await world.end(plain(), record('cancelled'), record('recovered')), [
    [],
    ['RUN_UNFINISHED recovered'],
  ]);
  await world.warnings.unfinished(plain(), waiting);
  assert.deepEqual(await world.end(plain(), failure('STATE_STALE')), [
    ['RUN_FAILED raised', 'RUN_UNFINISHED recovered'],
  ]);
});

test('what held when the daemon ended is not told again after the next start, and its end is', async () => {
  const world = new World();
  await world.end(plain(), failure('SOURCE_TIMEOUT'));
  await world.restart();
  assert.deepEqual(world.active(), ['RUN_FAILED']);
  assert.deepEqual(await world.end(plain(), failure('SOURCE_TIMEOUT'), record('succeeded')), [
    [],
    ['RUN_FAILED recovered'],
  ]);
});

test('a crash between telling and noting tells again rather than never, with the same id', async () => {
  const world = new World();
  const failed = failure('SOURCE_TIMEOUT');
  world.documents.beforeWrite = () => {
    throw new SluiceError('STATE_WRITE_FAILED', 'no space left');
  };
  await world.end(plain(), failed);
  world.documents.beforeWrite = () => {};
  await world.restart();
  await world.end(plain(), failed);
  assert.deepEqual(
    world.told.map(({ id }) => id),
    [world.told[0]?.id, world.told[0]?.id],
  );
  assert.deepEqual(world.log.messages('error'), ['which warnings hold cannot be kept']);
});

test('activations do not share warnings, and one that is gone leaves none', async () => {
  const world = new World();
  const other = activation('b', {}, FAR_SAS);
  await Promise.all([world.end(plain(), failure('SOURCE_TIMEOUT')), world.end(other, record('succeeded'))]);
  assert.deepEqual([world.active('a'), world.active('b'), world.active('c')], [['RUN_FAILED'], [], []]);
  await world.warnings.timePassed([other], () => undefined);
  assert.deepEqual(world.active('a'), []);
  assert.ok(!world.documents.texts.get(WARNINGS_DOCUMENT)?.includes('"a"'));
});

test('damaged notes of warnings are said, and keep nothing from starting', async () => {
  for (const text of [
    '{',
    '{"version":1}',
    '{"version":7}',
    '[]',
    'null',
    '{"version":1,"activations":{"customers_delta":{}}}',
    '{"version":1,"activations":{"plain":{"since":"2026-01-01T00:00:00Z","active":[null]}}}',
    '{"version":1,"activations":{"plain":{"since":5,"active":[]}}}',
  ]) {
    const world = new World();
    world.documents.texts.set(WARNINGS_DOCUMENT, text);
    await world.restart();
    const [line, ...more] = world.log.lines.filter(({ level }) => level === 'error');
    assert.deepEqual(more, [], text);
    const { code, message } = line!.fields.error as SluiceError;
    assert.equal(code, 'STATE_DAMAGED', text);
    assert.match(message, new RegExp(`^the document ${WARNINGS_DOCUMENT} is damaged`));
    assert.deepEqual(await world.end(plain(), failure('SOURCE_TIMEOUT')), [['RUN_FAILED raised']]);
  }
});

test('each change of a warning is a line of the log about its run', async () => {
  const world = new World();
  const failed = failure('SOURCE_TIMEOUT', 'nothing came');
  await world.end(plain(), failed, record('succeeded', { warnings: ['COLUMNS_CHANGED'] }));
  assert.deepEqual(
    world.log.lines.map(({ level, message, fields }) => [level, message, fields['code']]),
    [
      ['warn', 'warning: SOURCE_TIMEOUT: nothing came', 'RUN_FAILED'],
      ['info', 'warning is over: a run succeeded', 'RUN_FAILED'],
      ['info', 'warning: COLUMNS_CHANGED was seen', 'COLUMNS_CHANGED'],
    ],
  );
  assert.equal(world.log.lines[0]?.fields.run, failed.run);
});

test('the table of the guide is the table of the rules', () => {
  const guide = readFileSync(new URL('../../../docs/guide/warnings.md', import.meta.url), 'utf8');
  const rows = WARNING_RULES.map(
    ({ code, severity, raised, over, isOverSilently }) =>
      `| \`${code}\` | ${severity} | ${raised} | ${over}${isOverSilently ? ' (no message)' : ''} |`,
  );
  assert.deepEqual(
    guide.split('\n').filter(line => line.startsWith('| `')),
    rows,
  );
});

const onSuccess = plain({ notify: [{ webhook: 'http://localhost/', on: ['succeeded', 'failed'] }] });

test('each success is told once, with its record, where somebody wants that, whether it wrote anything or not', async () => {
  const world = new World();
  const told = await world.end(
    onSuccess,
    record('succeeded'),
    record('recovered', { read: 0 }),
    failure('SOURCE_TIMEOUT'),
  );
  assert.deepEqual(told, [['RUN_SUCCEEDED succeeded'], ['RUN_SUCCEEDED succeeded'], ['RUN_FAILED raised']]);
  assert.deepEqual(world.told[0]?.record?.state, 'succeeded');
  assert.equal(new Set(world.told.map(({ id }) => id)).size, 3);
  assert.deepEqual(await world.end(plain(), record('succeeded')), [['RUN_FAILED recovered']]);
});

test('a success that the daemon did not come to tell of is told at its next start, and no other', async () => {
  const world = new World();
  const [first, second, third] = [record('succeeded'), record('succeeded'), record('succeeded')];
  await world.end(onSuccess, first);
  await world.restart();
  const command = record('succeeded', { trigger: 'command' });
  const before = world.told.length;
  await world.warnings.caughtUp(onSuccess, [command, third, failure('SOURCE_TIMEOUT'), second, first]);
  assert.deepEqual(
    world.told.slice(before).map(({ run }) => run),
    [second.run, third.run],
  );
  await world.restart();
  await world.warnings.caughtUp(onSuccess, [third, second, first]);
  assert.equal(world.told.length, before + 2);
});

test('a message of a success leaves files out that would make it too large', async () => {
  const world = new World();
  const file = { name: 'x', part: 1, rows: 1, bytes: 1, md5: '', sha256: '' };
  await world.end(onSuccess, record('succeeded', { files: Array.from({ length: 103 }, () => file) }));
  assert.equal(world.told[0]?.record?.files.length, 100);
  assert.equal(world.told[0]?.filesLeftOut, 3);
});
