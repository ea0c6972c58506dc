import assert from 'node:assert/strict';
import test from 'node:test';
import { createWarnings } from '../../../src/daemon/warnings/create-warnings.ts';
import { type Received, withReceiver } from '../notify/receiver.ts';
import { activation } from '../support/activations.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { failure, record } from '../support/records.ts';

test('a run that fails and one that works again are told to a webhook, over a restart of the daemon in between', () =>
  withReceiver(async receiver => {
    const told = activation('a', {
      notify: [{ webhook: `${receiver.url}/cAnArY-in-the-path`, secret: 'cAnArY-of-the-receiver' }],
    });
    const documents = new MemoryDocuments();
    const log = new MemoryLog();
    const open = async () => {
      const warnings = createWarnings({
        documents,
        log,
        clock: new ManualClock('2026-06-01T00:00:00Z'),
        version: '1.2.3',
        activations: () => [told],
        smtp: () => undefined,
        publicUrl: () => undefined,
        clean: text => text.replaceAll('pw-4711', '(hidden)'),
      });
      await warnings.open();
      return warnings;
    };
    const events = ({ body }: Received): string => {
      const { code, event, message } = JSON.parse(body);
      return `${code} ${event}: ${message}`;
    };

    const before = await open();
    const failed = failure('SOURCE_CREDENTIALS', 'login with pw-4711 failed');
    const [active] = await Promise.all([before.runEnded(told, failed, []), receiver.next()]);
    assert.deepEqual(
      active.map(({ code }) => code),
      ['RUN_FAILED'],
    );
    await before.close();

    const after = await open();
    assert.equal(after.active('a').length, 1);
    await after.runEnded(told, record('succeeded'), [failed]);
    while (!receiver.received.some(({ body }) => body.includes('"recovered"'))) await receiver.next();
    await after.close();
    // Closing may interrupt a delivery that has arrived: it is made again, and told by
    // its id.
    const once = new Map(receiver.received.map(received => [received.headers['x-sluice-event'], received]));
    assert.deepEqual([...once.values()].map(events), [
      'RUN_FAILED raised: SOURCE_CREDENTIALS: login with (hidden) failed',
      'RUN_FAILED recovered: a run succeeded',
    ]);
    assert.ok(receiver.received.every(({ headers }) => headers['x-sluice-signature'] !== undefined));
    assert.ok(!JSON.stringify([[...documents.texts], log.lines]).includes('cAnArY'));
  }));

test('the keys of a held run are told to the webhook that asks for samples, and to no other', () =>
  withReceiver(async receiver => {
    const told = activation('a', {
      notify: [
        { webhook: `${receiver.url}/with`, on: ['held'], samples: true },
        { webhook: `${receiver.url}/without`, on: ['held'] },
      ],
    });
    const warnings = createWarnings({
      documents: new MemoryDocuments(),
      log: new MemoryLog(),
      clock: new ManualClock('2026-06-01T00:00:00Z'),
      version: '1.2.3',
      activations: () => [told],
      smtp: () => undefined,
      publicUrl: () => undefined,
      clean: text => text,
    });
    await warnings.open();
    const removed = Array.from({ length: 11 }, (_, id) => ({
      key: [
        { column: 'id', value: String(id) },
        { column: 'country', value: null },
      ],
    }));
    const differences = [{ column: 'name', before: 'Anna', after: 'Emma' }];
    const updated = [{ key: [{ column: 'id', value: '99' }], differences }];
    const held = record('held', { warnings: ['HELD'], sample: { added: [], updated, removed, gaps: [] } });
    await warnings.runEnded(told, held, []);
    while (receiver.received.length < 2) await receiver.next();
    await warnings.close();
    const bodyOf = (place: string): string => receiver.received.find(({ url }) => url === place)!.body;
    assert.deepEqual(JSON.parse(bodyOf('/with')).samples, {
      added: [],
      updated: ['99'],
      removed: Array.from({ length: 10 }, (_, id) => `${id}, NULL`),
    });
    assert.doesNotMatch(bodyOf('/with') + bodyOf('/without'), /Anna|Emma/);
    assert.doesNotMatch(bodyOf('/without'), /samples|NULL/);
  }));
