import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import test from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { Notification } from '../../../src/daemon/notify/notification.ts';
import { OUTBOX_DOCUMENT, Outbox, type OutboxOptions } from '../../../src/daemon/notify/outbox.ts';
import { successNotification } from '../../../src/daemon/notify/success-notification.ts';
import { targetsOf } from '../../../src/daemon/notify/targets.ts';
import { SluiceError } from '../../../src/errors.ts';
import { activation } from '../support/activations.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { record } from '../support/records.ts';
import { notification } from './notifications.ts';
import { Receiver } from './receiver.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CANARY = 'cAnArY-in-the-path-4711';

class World {
  readonly clock = new ManualClock('2026-06-01T00:00:00Z');
  readonly documents = new MemoryDocuments();
  readonly log = new MemoryLog();
  readonly outcomes: string[] = [];
  readonly #events = new EventEmitter();
  readonly #boxes: Outbox[] = [];
  readonly receivers: Receiver[] = [];
  activations: ResolvedActivation[] = [];
  box: Outbox;
  readonly #more: Partial<OutboxOptions>;

  constructor(more: Partial<OutboxOptions> = {}) {
    this.#more = more;
    this.box = this.#make();
  }

  #make(): Outbox {
    const { clock, documents, log } = this;
    const box = new Outbox({
      clock,
      documents,
      log,
      activations: () => this.activations,
      targetsOf: of => targetsOf(of, { smtp: undefined, clock, version: '1', timeoutMs: 15_000 }),
      clean: text => text.replaceAll('pw-4711', '(hidden)'),
      observe: (outcome, kind) => {
        this.outcomes.push(`${kind} ${outcome}`);
        this.#events.emit('outcome');
      },
      random: () => 1,
      ...this.#more,
    });
    this.#boxes.push(box);
    return box;
  }

  async receiver(): Promise<Receiver> {
    const receiver = await Receiver.start();
    this.receivers.push(receiver);
    return receiver;
  }

  configure(name: string, ...urls: string[]): ResolvedActivation {
    const made = activation(name, { notify: urls.map(url => ({ webhook: `${url}/${CANARY}` })) });
    this.activations = [...this.activations.filter(other => other.name !== name), made];
    return made;
  }

  /** Until so many deliveries have been tried or given up since the world began. */
  async outcome(count: number): Promise<void> {
    while (this.outcomes.length < count) await once(this.#events, 'outcome');
    await settled();
  }

  async restart(): Promise<void> {
    await this.box.close();
    this.box = this.#make();
    await this.box.open();
  }

  async close(): Promise<void> {
    for (const box of this.#boxes) await box.close();
    for (const receiver of this.receivers) await receiver.stop();
  }

  /** What anybody could read. */
  get shown(): string {
    return JSON.stringify([this.log.lines, [...this.documents.texts], this.box.undelivered()]);
  }
}

async function withWorld(act: (world: World) => Promise<void>, more?: Partial<OutboxOptions>): Promise<void> {
  const world = new World(more);
  try {
    await act(world);
    assert.ok(!world.shown.includes(CANARY), 'a URL is shown');
  } finally {
    await world.close();
  }
}

const some = (count: number, prefix = 'n'): Notification[] =>
  Array.from({ length: count }, (_, index) => notification(`${prefix}${index}`));
const ids = ({ received }: Receiver): string[] => received.map(({ body }) => JSON.parse(body).id);

test('every target gets every notification, each in order', () =>
  withWorld(async world => {
    const [first, second] = [await world.receiver(), await world.receiver()];
    const told = world.configure('a', first.url, second.url);
    await world.box.add(some(5), told);
    await world.outcome(10);
    assert.deepEqual(ids(first), ['n0', 'n1', 'n2', 'n3', 'n4']);
    assert.deepEqual(ids(second), ids(first));
    assert.deepEqual(world.box.undelivered(), []);
    assert.deepEqual(world.box.counts, { waiting: 0, lost: 0 });
    assert.deepEqual(JSON.parse(world.documents.texts.get(OUTBOX_DOCUMENT)!), {
      version: 1,
      items: [],
      lost: {},
    });
  }));

test('what is added is kept before it is sent', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    let write = (): void => {};
    world.documents.beforeWrite = () => new Promise(resolve => (write = resolve));
    const added = world.box.add(some(1), told);
    await settled();
    assert.equal(receiver.received.length, 0);
    world.documents.beforeWrite = () => {};
    write();
    await added;
    await world.outcome(1);
    assert.deepEqual(ids(receiver), ['n0']);
  }));

test('a notification that fails is tried again with growing pauses, and those behind it wait their turn', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    receiver.answer = response => response.writeHead(503).end('down for pw-4711');
    await world.box.add(some(2), told);
    await world.outcome(1);
    const pauses: number[] = [];
    for (let attempt = 2; attempt <= 12; attempt++) {
      let waited = 0;
      while (world.outcomes.length < attempt) {
        const before = receiver.received.length;
        await world.clock.pass(2500);
        waited += 2500;
        if (world.clock.waiting === 0 || receiver.received.length > before) await world.outcome(attempt);
      }
      pauses.push(waited / 1000);
    }
    assert.deepEqual(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]);
    assert.ok(ids(receiver).every(id => id === 'n0'));
    assert.deepEqual(world.box.undelivered(), [
      'webhook 1 of a answered 503: down for (hidden); 2 notifications since 2026-06-01T00:00:00.000Z, tried 12 times',
    ]);
    receiver.answer = response => response.end();
    await world.clock.pass(900_000);
    await world.outcome(14);
    assert.deepEqual(ids(receiver).slice(-2), ['n0', 'n1']);
    assert.deepEqual(world.box.undelivered(), []);
  }));

test('pauses have jitter, and the receiver may ask for more', () =>
  withWorld(
    async world => {
      const receiver = await world.receiver();
      const told = world.configure('a', receiver.url);
      receiver.answer = response => response.writeHead(429, { 'retry-after': '60' }).end();
      await world.box.add(some(1), told);
      await world.outcome(1);
      receiver.answer = response => response.writeHead(500).end();
      await world.clock.pass(59_999);
      assert.equal(receiver.received.length, 1);
      await world.clock.pass(1);
      await world.outcome(2);
      // Half of 10 s, by the least chance.
      await world.clock.pass(4999);
      assert.equal(receiver.received.length, 2);
      await world.clock.pass(1);
      await world.outcome(3);
    },
    { random: () => 0 },
  ));

test('one target that is down holds up no other', () =>
  withWorld(async world => {
    const [down, up] = [await world.receiver(), await world.receiver()];
    down.answer = () => {};
    const told = world.configure('a', down.url, up.url);
    await world.box.add(some(3), told);
    await world.outcome(3);
    assert.deepEqual(ids(up), ['n0', 'n1', 'n2']);
  }));

test('a message that is refused is given up, and those behind it are delivered', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    let release = (): void => {};
    receiver.answer = (response, { body }) => {
      if (body.includes('"n0"')) response.writeHead(400).end('invalid_payload');
      else release = () => response.end();
    };
    await world.box.add(some(2), told);
    await world.outcome(2);
    assert.deepEqual(world.outcomes, ['webhook failed', 'webhook lost']);
    assert.deepEqual(world.box.undelivered(), [
      'webhook 1 of a: 1 notification given up, the last one at 2026-06-01T00:00:00.000Z: answered 400: invalid_payload',
    ]);
    assert.equal(world.log.messages('error')[0], 'a notification is given up: answered 400: invalid_payload');
    if (receiver.received.length < 2) await receiver.next();
    await settled();
    release();
    await world.outcome(3);
    // The target takes something again: what was lost is in the log, and no problem of
    // now.
    assert.deepEqual(world.box.undelivered(), []);
  }));

test('what waits outlives the daemon, in order, and is sent after its next start', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    receiver.answer = response => response.writeHead(503).end();
    await world.box.add(some(3), told);
    await world.outcome(1);
    receiver.answer = response => response.end();
    await world.restart();
    await world.outcome(4);
    assert.deepEqual(ids(receiver), ['n0', 'n0', 'n1', 'n2']);
  }));

test('closing interrupts a delivery, which is made again after the next start', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    receiver.answer = () => {};
    const arrived = receiver.next();
    await world.box.add(some(1), told);
    await arrived;
    receiver.answer = response => response.end();
    await world.restart();
    await world.outcome(1);
    assert.deepEqual(ids(receiver), ['n0', 'n0']);
    assert.deepEqual(world.outcomes, ['webhook delivered']);
  }));

test('the same notification added again while it waits is not sent twice', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url, receiver.url);
    receiver.answer = response => response.writeHead(503).end();
    await world.box.add(some(1), told);
    await world.box.add(some(1), told);
    assert.equal(world.box.counts.waiting, 1);
  }));

test('a notification that is too old is given up, and that stays visible over a restart', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    receiver.answer = response => response.writeHead(503).end();
    await world.box.add(some(1), told);
    await world.outcome(1);
    // Whatever happens in between: attempts need the network, which an injected clock
    // cannot hurry.
    world.clock.sleep(24 * HOUR);
    await world.clock.pass(5000);
    await world.outcome(2);
    assert.equal(world.outcomes.at(-1), 'webhook lost');
    await world.restart();
    assert.deepEqual(world.box.undelivered(), [
      'webhook 1 of a: 1 notification given up, the last one at 2026-06-02T00:00:05.000Z: too old; the target answered 503',
    ]);
    assert.deepEqual(world.box.counts, { waiting: 0, lost: 1 });
  }));

test('no more wait than may, and the oldest of the same target make room', () =>
  withWorld(
    async world => {
      const [down, up] = [await world.receiver(), await world.receiver()];
      down.answer = () => {};
      up.answer = () => {};
      const first = world.configure('a', down.url);
      const second = world.configure('b', up.url);
      await world.box.add([notification('kept', { activation: 'b' })], second);
      await world.box.add(some(20), first);
      assert.equal(world.box.counts.waiting, 10);
      const { items } = JSON.parse(world.documents.texts.get(OUTBOX_DOCUMENT)!);
      const kept = items.map((item: { notification: Notification }) => item.notification.id);
      assert.deepEqual(kept, [
        'kept',
        ...some(20)
          .map(({ id }) => id)
          .slice(11),
      ]);
      assert.equal(world.box.counts.lost, 11);
    },
    { limits: { maxItems: 10 } },
  ));

test('a URL that was mistyped can be fixed: what waits goes to where the new one points', () =>
  withWorld(async world => {
    const [wrong, right] = [await world.receiver(), await world.receiver()];
    wrong.answer = response => response.writeHead(404).end();
    const told = world.configure('a', wrong.url);
    await world.box.add(some(2), told);
    await world.outcome(1);
    world.configure('a', right.url);
    await world.clock.pass(5000);
    await world.outcome(3);
    assert.deepEqual(ids(right), ['n0', 'n1']);
    assert.deepEqual(world.box.undelivered(), []);
  }));

test('what was for a target that is gone is given up, and is no problem that stays', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    receiver.answer = response => response.writeHead(503).end();
    await world.box.add(some(2), world.configure('a', receiver.url));
    await world.outcome(1);
    world.activations = [];
    await world.clock.pass(5000);
    await world.outcome(3);
    assert.deepEqual(world.outcomes.slice(1), ['webhook lost', 'webhook lost']);
    assert.deepEqual(world.box.undelivered(), []);
    assert.deepEqual(world.box.counts, { waiting: 0, lost: 0 });
  }));

test('secrets in a message are taken out before it is kept or sent, and a long one is cut', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const told = world.configure('a', receiver.url);
    await world.box.add(
      [notification('n0', { message: `login pw-4711 failed ${'x'.repeat(100_000)}` })],
      told,
    );
    await world.outcome(1);
    const { message } = JSON.parse(receiver.received[0]!.body);
    assert.ok(message.startsWith('login (hidden) failed xxx'));
    assert.equal(message.length, 4000);
  }));

test('a full disk is said, and notifications are sent all the same', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    world.documents.beforeWrite = () => {
      throw new SluiceError('STATE_WRITE_FAILED', 'no space left');
    };
    await world.box.add(some(2), world.configure('a', receiver.url));
    await world.outcome(2);
    assert.deepEqual(ids(receiver), ['n0', 'n1']);
    assert.ok(world.log.messages('error')[0]?.startsWith('notifications cannot be kept'));
  }));

test('damaged notes of notifications are said, and keep nothing from starting', async () => {
  for (const text of [
    '{',
    'null',
    '{"version":1}',
    '{"version":2}',
    '{"version":1,"items":{}}',
    '{"version":1,"items":[null],"lost":{}}',
    '{"version":1,"items":[{"index":0}],"lost":{}}',
    '{"version":1,"items":[{"target":7,"index":0,"label":"x","addedAt":"now","notification":null}],"lost":{}}',
    '{"version":1,"items":[],"lost":{"x":1}}',
  ]) {
    await withWorld(async world => {
      const receiver = await world.receiver();
      world.documents.texts.set(OUTBOX_DOCUMENT, text);
      await world.restart();
      assert.equal(
        world.documents.texts.get(OUTBOX_DOCUMENT),
        text,
        'kept until there is something to write',
      );
      const [line, ...more] = world.log.lines.filter(({ level }) => level === 'error');
      assert.deepEqual(more, [], text);
      const { code, message } = line!.fields.error as SluiceError;
      assert.equal(code, 'STATE_DAMAGED', text);
      assert.match(message, new RegExp(`^the document ${OUTBOX_DOCUMENT} is damaged`));
      await world.box.add(some(1), world.configure('a', receiver.url));
      await world.outcome(1);
      assert.deepEqual(ids(receiver), ['n0']);
    });
  }
});

test('a target is told of what it wants: by default all but successes, each in its own group', () =>
  withWorld(async world => {
    const entries: [string, string[] | undefined, string[]][] = [
      ['default', undefined, ['f', 'h', 'w']],
      ['all', ['succeeded', 'failed', 'held', 'warnings'], ['s', 'f', 'h', 'w']],
      ['successes', ['succeeded'], ['s']],
      ['failures', ['failed'], ['f']],
      ['held', ['held'], ['h']],
      ['warnings', ['warnings'], ['w']],
    ];
    const receivers: Receiver[] = [];
    for (const _ of entries) receivers.push(await world.receiver());
    const notify = entries.map(([, on], index) => ({
      webhook: `${receivers[index]!.url}/${CANARY}`,
      ...(on && { on }),
    }));
    const told = activation('a', { notify });
    world.activations = [told];
    const success = { event: 'succeeded', code: 'RUN_SUCCEEDED', severity: 'info' } as const;
    await world.box.add(
      [
        notification('s', success),
        notification('f'),
        notification('h', { code: 'HELD' }),
        notification('w', { code: 'SLOW_RUN' }),
      ],
      told,
    );
    await world.outcome(entries.reduce((count, [, , wanted]) => count + wanted.length, 0));
    for (const [index, [what, , wanted]] of entries.entries()) {
      assert.deepEqual(ids(receivers[index]!), wanted, what);
    }
  }));

test('a success that waits keeps its record over a restart, without secrets, and goes out with its headers', () =>
  withWorld(async world => {
    const receiver = await world.receiver();
    const headers = { 'aeg-sas-key': 'cAnArY-key' };
    const notify = [{ webhook: `${receiver.url}/${CANARY}`, on: ['succeeded'], headers }];
    world.activations = [activation('a', { notify })];
    receiver.answer = response => response.writeHead(503).end();
    const warnings = [{ code: 'SLOW_RUN', message: 'with pw-4711' }] as const;
    await world.box.add([successNotification(record('succeeded', { warnings }))], world.activations[0]!);
    await world.outcome(1);
    assert.doesNotMatch(world.shown, /pw-4711|cAnArY-key/);
    receiver.answer = response => response.end();
    await world.restart();
    await world.outcome(2);
    const [, got] = receiver.received;
    assert.equal(got?.headers['aeg-sas-key'], 'cAnArY-key');
    assert.equal(JSON.parse(got!.body).record.warnings[0].message, 'with (hidden)');
  }));
