/**
 * What the outbox does next, step by step: a sender that is worked by hand takes part in
 * it, and no network.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { DeliveryError, type Sender } from '../../../src/daemon/notify/delivery.ts';
import { OUTBOX_DOCUMENT, Outbox } from '../../../src/daemon/notify/outbox.ts';
import { activation } from '../support/activations.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { notification } from './notifications.ts';

interface Sent {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly take: () => void;
  readonly fail: (error: Error) => void;
}

class World {
  readonly clock = new ManualClock('2026-06-01T00:00:00Z');
  readonly documents = new MemoryDocuments();
  readonly outcomes: string[] = [];
  /** In the order in which they were sent; each waits until it is taken or failed. */
  readonly sent: Sent[] = [];
  readonly told = activation('a', { notify: [{ webhook: 'https://example.com/hook' }] });
  readonly sender: Sender;
  readonly target: string;
  box: Outbox;

  constructor(kind: Sender['kind'] = 'webhook') {
    this.target = `${kind} 0123`;
    this.sender = {
      kind,
      send: ({ id }, signal) =>
        new Promise((take, fail) => {
          this.sent.push({ id, signal, take, fail });
        }),
    };
    this.box = this.make();
  }

  make(): Outbox {
    const { clock, documents, sender, target: id, told } = this;
    return new Outbox({
      clock,
      documents,
      log: new MemoryLog(),
      activations: () => [told],
      targetsOf: () => [{ id, label: 'the target', sender, on: ['failed'] }],
      clean: text => text,
      observe: (outcome, kind) => this.outcomes.push(`${kind} ${outcome}`),
      random: () => 1,
    });
  }

  /**
   * What was added is sent, or waits for what is under way, by the time that this
   * resolves.
   */
  async add(...ids: string[]): Promise<void> {
    const notifications = ids.map(id => notification(id));
    await this.box.add(notifications, this.told);
    await settled();
  }

  /** The one that was sent last is taken by its receiver. */
  async take(): Promise<void> {
    this.sent.at(-1)?.take();
    await settled();
  }

  async fail(error: Error): Promise<void> {
    this.sent.at(-1)?.fail(error);
    await settled();
  }

  get ids(): string[] {
    return this.sent.map(({ id }) => id);
  }

  /** What the next start would find. */
  get kept(): { waiting: string[]; lost: Record<string, { count: number }> } {
    const { items, lost } = JSON.parse(this.documents.texts.get(OUTBOX_DOCUMENT)!);
    return { waiting: items.map((item: { notification: { id: string } }) => item.notification.id), lost };
  }
}

const DOWN = new DeliveryError('answered 503');

test('one notification is under way at a time, and each is forgotten when it is taken', async () => {
  const world = new World();
  await world.add('n0');
  await world.add('n1');
  assert.deepEqual(world.ids, ['n0']);
  assert.deepEqual(world.kept.waiting, ['n0', 'n1']);
  await world.take();
  assert.deepEqual(world.ids, ['n0', 'n1']);
  assert.deepEqual(world.kept.waiting, ['n1']);
  await world.take();
  assert.deepEqual(world.outcomes, ['webhook delivered', 'webhook delivered']);
  assert.deepEqual(world.kept.waiting, []);
  assert.deepEqual(world.box.counts, { waiting: 0, lost: 0 });
});

test('what is added after everything was taken is sent at once', async () => {
  const world = new World();
  for (const id of ['n0', 'n1', 'n2']) {
    await world.add(id);
    assert.equal(world.ids.at(-1), id);
    await world.take();
  }
  assert.deepEqual(world.ids, ['n0', 'n1', 'n2']);
});

test('what failed is sent again when its pause is over, and one that is taken lets the pauses begin again', async () => {
  const world = new World();
  await world.add('n0', 'n1');
  for (const pauseMs of [5000, 10_000]) {
    await world.fail(DOWN);
    const tries = world.sent.length;
    // Nothing that is added meanwhile shortens it.
    await world.add('n2');
    await world.clock.pass(pauseMs - 1);
    assert.equal(world.sent.length, tries);
    await world.clock.pass(1);
    assert.equal(world.sent.length, tries + 1);
  }
  await world.take();
  assert.deepEqual(world.ids, ['n0', 'n0', 'n0', 'n1']);
  assert.deepEqual(world.box.undelivered(), []);
  await world.fail(DOWN);
  assert.match(world.box.undelivered()[0]!, /answered 503; 2 notifications .*, tried 1 times$/);
  await world.clock.pass(5000);
  assert.equal(world.ids.at(-1), 'n1');
  assert.equal(world.sent.length, 5);
});

test('a receiver that asks to be left alone for days is asked again after the longest pause', async () => {
  const world = new World();
  await world.add('n0');
  await world.fail(new DeliveryError('answered 429', { retryAfterMs: 10 * 86_400_000 }));
  await world.clock.pass(15 * 60_000);
  assert.equal(world.sent.length, 2);
});

test('what is refused is noted as lost, and the next one is sent at once', async () => {
  const world = new World('email');
  await world.add('n0', 'n1');
  await world.fail(new DeliveryError('answered 550', { isRefusal: true }));
  assert.deepEqual(world.ids, ['n0', 'n1']);
  assert.deepEqual(world.outcomes, ['email failed', 'email lost']);
  assert.deepEqual(world.kept.waiting, ['n1']);
  assert.equal(world.kept.lost[world.target]?.count, 1);
  await world.take();
  assert.deepEqual(world.kept, { waiting: [], lost: {} });
});

test('what grows too old while it waits is counted as lost of its kind', async () => {
  const world = new World('email');
  await world.add('n0');
  await world.fail(DOWN);
  world.clock.sleep(24 * 3_600_000);
  await world.clock.pass(5000);
  assert.deepEqual(world.outcomes, ['email failed', 'email lost']);
  assert.deepEqual(world.box.counts, { waiting: 0, lost: 1 });
  assert.equal(world.kept.lost[world.target]?.count, 1);
});

test('what was kept is sent when the outbox is opened, and is not kept once more', async () => {
  const world = new World();
  await world.add('n0', 'n1');
  world.box = world.make();
  await world.box.open();
  await settled();
  assert.deepEqual(world.ids, ['n0', 'n0']);
  assert.equal(world.documents.writes, 1);
});

test('closing ends what is under way, waits for it, and begins nothing more', async () => {
  const world = new World();
  await world.add('n0', 'n1');
  let isClosed = false;
  const closing = world.box.close().then(() => (isClosed = true));
  await settled();
  assert.equal(world.sent[0]?.signal.aborted, true);
  assert.equal(isClosed, false);
  await world.fail(new Error('aborted'));
  assert.deepEqual(world.ids, ['n0']);
  assert.deepEqual(world.outcomes, [], 'it is no failure of the receiver');
  await closing;
  await world.add('n2');
  assert.deepEqual(world.ids, ['n0']);
  assert.deepEqual(world.kept.waiting, ['n0', 'n1', 'n2'], 'it is there at the next start');
});

test('an outbox that is closed keeps what is added, and sends nothing', async () => {
  const world = new World();
  await world.box.close();
  await world.add('n0');
  assert.deepEqual(world.ids, []);
  assert.deepEqual(world.kept.waiting, ['n0']);
});

test('closing ends pauses, and waits for what is being written', async () => {
  const world = new World();
  await world.add('n0');
  await world.fail(DOWN);
  assert.equal(world.clock.waiting, 1);
  let written = (): void => {};
  world.documents.beforeWrite = () => new Promise(resolve => (written = resolve));
  const adding = world.add('n1');
  let isClosed = false;
  const closing = world.box.close().then(() => (isClosed = true));
  await settled();
  assert.equal(world.clock.waiting, 0);
  assert.equal(isClosed, false);
  written();
  await Promise.all([adding, closing]);
  assert.deepEqual(world.kept.waiting, ['n0', 'n1']);
});

test('what could not be kept is kept at the next occasion', async () => {
  const world = new World();
  world.documents.beforeWrite = () => {
    throw new Error('no space left');
  };
  await world.add('n0');
  assert.deepEqual(world.ids, ['n0']);
  world.documents.beforeWrite = () => {};
  await world.add('n0');
  assert.deepEqual(world.kept.waiting, ['n0']);
});
