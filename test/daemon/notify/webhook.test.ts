import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import test from 'node:test';
import { DeliveryError } from '../../../src/daemon/notify/delivery.ts';
import { successNotification } from '../../../src/daemon/notify/success-notification.ts';
import { Webhook, type WebhookOptions } from '../../../src/daemon/notify/webhook.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { record } from '../support/records.ts';
import { notification } from './notifications.ts';
import { type Receiver, withReceiver } from './receiver.ts';

const SECRET = 'key-of-the-receiver-4711';
const NOW = '2026-06-01T00:00:05Z';

function webhook(url: string, options: Partial<WebhookOptions> = {}): Webhook {
  return new Webhook({
    url,
    style: 'generic',
    secret: undefined,
    clock: new ManualClock(NOW),
    timeoutMs: 15_000,
    userAgent: 'Sluice/1.2.3',
    ...options,
  });
}

const send = (to: Webhook): Promise<void> => to.send(notification('n1'), new AbortController().signal);

/** What sending fails with. */
async function failure(to: Webhook): Promise<DeliveryError> {
  const error = await send(to).then(
    () => assert.fail('it was delivered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof DeliveryError, String(error));
  return error;
}

/** A receiver's check, as docs/guide/warnings.md tells it. */
function isGenuine(header: string, body: string, nowSeconds: number, toleranceSeconds = 300): boolean {
  const parts = new Map(header.split(',').map(part => part.split('=') as [string, string]));
  const seconds = Number(parts.get('t'));
  if (!(Math.abs(nowSeconds - seconds) <= toleranceSeconds)) return false;
  const expected = createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest();
  const given = Buffer.from(parts.get('v1') ?? '', 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

test('a generic webhook gets the notification as JSON', () =>
  withReceiver(async receiver => {
    await send(webhook(`${receiver.url}/hooks/abc?x=1`));
    const [got] = receiver.received;
    assert.deepEqual([got?.method, got?.url], ['POST', '/hooks/abc?x=1']);
    assert.deepEqual(JSON.parse(got!.body), { version: 1, ...notification('n1') });
    assert.equal(got?.headers['content-type'], 'application/json');
    assert.equal(got?.headers['user-agent'], 'Sluice/1.2.3');
    assert.equal(got?.headers['x-sluice-event'], 'n1');
    assert.equal(got?.headers['x-sluice-signature'], undefined);
  }));

test('a signed webhook can be checked by its receiver, and neither be altered nor replayed', () =>
  withReceiver(async receiver => {
    await send(webhook(receiver.url, { secret: SECRET }));
    const { headers, body } = receiver.received[0]!;
    const header = headers['x-sluice-signature'] as string;
    const now = Date.parse(NOW) / 1000;
    assert.match(header, /^t=\d+,v1=[0-9a-f]{64}$/);
    assert.ok(isGenuine(header, body, now + 2));
    assert.ok(!isGenuine(header, body.replace('raised', 'recovered'), now), 'another body');
    assert.ok(!isGenuine(header, body, now + 301), 'a replay');
    assert.ok(!isGenuine(header.replace(/t=\d+/, `t=${now + 301}`), body, now + 301), 'another time');
  }));

test('the signature counts from the attempt, so that a late one is not taken for a replay', () =>
  withReceiver(async receiver => {
    const clock = new ManualClock(NOW);
    const signed = webhook(receiver.url, { secret: SECRET, clock });
    await send(signed);
    await clock.pass(3_600_000);
    await send(signed);
    const { headers, body } = receiver.received[1]!;
    assert.ok(isGenuine(headers['x-sluice-signature'] as string, body, Date.parse(NOW) / 1000 + 3600));
  }));

test("a Slack webhook gets Slack's shape, in which nothing of a message is markup", () =>
  withReceiver(async receiver => {
    const slack = webhook(receiver.url, { style: 'slack' });
    const message = 'column "<!channel>" & <http://x|y>';
    const { signal } = new AbortController();
    await slack.send(notification('n1', { message }), signal);
    await slack.send(notification('n2', { event: 'recovered' }), signal);
    const [raised, recovered] = receiver.received.map(({ body }) => JSON.parse(body));
    assert.equal(raised.text, '*a: RUN_FAILED*');
    assert.equal(raised.attachments[0].text, 'column "&lt;!channel&gt;" &amp; &lt;http://x|y&gt;');
    assert.equal(raised.attachments[0].footer, 'Sluice, run 20260601-000000-000-abcdef');
    assert.equal(raised.attachments[0].ts, Date.parse('2026-06-01T00:00:00Z') / 1000);
    assert.equal(recovered.text, '*a: RUN_FAILED is over*');
    assert.notEqual(recovered.attachments[0].color, raised.attachments[0].color);
  }));

test('a Teams webhook gets an Adaptive Card, in which nothing of a message is markup, with a link to the run', () =>
  withReceiver(async receiver => {
    const teams = webhook(receiver.url, { style: 'teams', publicUrl: 'https://sluice.example.com/x' });
    await teams.send(
      notification('n1', { message: '**column** [x](http://y)' }),
      new AbortController().signal,
    );
    const message = JSON.parse(receiver.received[0]!.body);
    assert.equal(message.type, 'message');
    const [{ contentType, content }] = message.attachments;
    assert.equal(contentType, 'application/vnd.microsoft.card.adaptive');
    assert.deepEqual([content.type, content.version], ['AdaptiveCard', '1.4']);
    const blocks: { type: string; inlines: { type: string; text: string }[] }[] = content.body;
    assert.ok(
      blocks.every(({ type, inlines }) => type === 'RichTextBlock' && inlines[0]?.type === 'TextRun'),
    );
    assert.deepEqual(
      blocks.map(({ inlines }) => inlines[0]?.text),
      [
        'a: RUN_FAILED',
        '**column** [x](http://y)',
        'run 20260601-000000-000-abcdef, 2026-06-01T00:00:00.000Z',
      ],
    );
    assert.deepEqual(content.actions, [
      {
        type: 'Action.OpenUrl',
        title: 'Open the run',
        url: 'https://sluice.example.com/x/#/runs/20260601-000000-000-abcdef',
      },
    ]);
  }));

test('a CloudEvents webhook gets an event that Event Grid takes, with its key in a header', () =>
  withReceiver(async receiver => {
    const headers = { 'aeg-sas-key': 'key-4711' };
    const events = webhook(receiver.url, { style: 'cloudevents', headers, publicUrl: 'https://s.example/' });
    const { signal } = new AbortController();
    await events.send(notification('n1'), signal);
    const success = successNotification(record('succeeded', { run: '20260601-000000-000-abcdef' }));
    await events.send(success, signal);
    const [raised, succeeded] = receiver.received;
    assert.equal(raised!.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    assert.equal(raised!.headers['aeg-sas-key'], 'key-4711');
    const link = 'https://s.example/#/runs/20260601-000000-000-abcdef';
    assert.deepEqual(JSON.parse(raised!.body), {
      specversion: '1.0',
      id: 'n1',
      type: 'sluice.warning.raised',
      source: '/sluice/activations/a',
      subject: '20260601-000000-000-abcdef',
      time: '2026-06-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      data: { version: 1, ...notification('n1'), link },
    });
    const { type, data } = JSON.parse(succeeded!.body);
    assert.deepEqual(
      [type, data.record.run, data.code],
      ['sluice.run.succeeded', success.run, 'RUN_SUCCEEDED'],
    );
  }));

for (const style of ['generic', 'slack', 'teams', 'cloudevents'] as const) {
  test(`a message of style ${style} links to its run where daemon.publicUrl says how, and to nothing otherwise`, () =>
    withReceiver(async receiver => {
      const { signal } = new AbortController();
      const more = { run: 'r1' };
      await webhook(receiver.url, { style, publicUrl: 'http://s' }).send(notification('n1', more), signal);
      await webhook(receiver.url, { style }).send(notification('n1', more), signal);
      const [linked, plain] = receiver.received.map(({ body }) => body);
      assert.ok(linked!.includes('"http://s/#/runs/r1"'), linked);
      assert.ok(!/#\/runs/.test(plain!), plain);
    }));
}

test('a redirect is not followed, so that the URL and the message go nowhere else', () =>
  withReceiver(receiver =>
    withReceiver(async elsewhere => {
      for (const status of [301, 302, 307, 308]) {
        receiver.answer = response => response.writeHead(status, { location: elsewhere.url }).end();
        assert.match((await failure(webhook(receiver.url))).message, new RegExp(`^answered ${status}`));
      }
      assert.equal(elsewhere.received.length, 0);
      assert.equal(receiver.received.length, 4);
    }),
  ));

test('what the receiver answers is told in one short line, and read no further', () =>
  withReceiver(async receiver => {
    let written = 0;
    let isClosed: () => void;
    const closed = new Promise<void>(resolve => (isClosed = resolve));
    receiver.answer = response => {
      response.on('close', () => isClosed());
      response.writeHead(500).write('no_service\u001b[31m\r\n');
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    };
    const error = await failure(webhook(receiver.url));
    assert.match(error.message, /^answered 500: no_service \[31m x{1,120}$/);
    await closed;
    assert.ok(written < 16 * 1024 * 1024, `${written} bytes were taken`);
  }));

test('statuses that refuse the message are told from those that refuse for now', () =>
  withReceiver(async receiver => {
    const refusals: number[] = [];
    for (const status of [400, 401, 403, 404, 408, 410, 413, 415, 422, 425, 429, 500, 502, 503, 504]) {
      receiver.answer = response => response.writeHead(status).end();
      if ((await failure(webhook(receiver.url))).isRefusal) refusals.push(status);
    }
    assert.deepEqual(refusals, [400, 413, 415, 422]);
  }));

test('Retry-After is taken as seconds or as a date', () =>
  withReceiver(async receiver => {
    const waits: (number | undefined)[] = [];
    for (const text of [
      '7',
      'Mon, 01 Jun 2026 00:01:05 GMT',
      'Sun, 31 May 2026 00:00:00 GMT',
      'soon',
      '-1',
    ]) {
      receiver.answer = response => response.writeHead(503, { 'retry-after': text }).end();
      waits.push((await failure(webhook(receiver.url))).retryAfterMs);
    }
    assert.deepEqual(waits, [7000, 60_000, undefined, undefined, undefined]);
  }));

/** Lets the time limit pass once the receiver has what it was sent. */
async function failureOfSilence(receiver: Receiver, clock: ManualClock): Promise<DeliveryError> {
  const arrived = receiver.next();
  const failed = failure(webhook(receiver.url, { clock }));
  await arrived;
  await clock.pass(15_000);
  return failed;
}

test('a receiver that never answers, or never ends its answer, is given up after the time limit', () =>
  withReceiver(async receiver => {
    receiver.answer = () => {};
    const clock = new ManualClock(NOW);
    assert.equal((await failureOfSilence(receiver, clock)).message, 'gave no answer in 15 s');
    receiver.answer = response => response.writeHead(200).write('...');
    assert.equal((await failureOfSilence(receiver, clock)).message, 'gave no answer in 15 s');
    assert.equal(clock.waiting, 0);
  }));

test('failures of the network are told by their code, without the URL', async () => {
  let url = '';
  await withReceiver(async receiver => {
    url = receiver.url;
    receiver.answer = response => response.socket?.destroy();
    const error = await failure(webhook(`${url}/cAnArY-path?token=cAnArY-token`));
    assert.match(error.message, /^cannot be reached \((UND_ERR_SOCKET|ECONNRESET)\)$/);
  });
  assert.equal((await failure(webhook(`${url}/cAnArY`))).message, 'cannot be reached (ECONNREFUSED)');
  const unknown = await failure(webhook('http://cAnArY.invalid/cAnArY'));
  assert.match(unknown.message, /^cannot be reached \((ENOTFOUND|EAI_AGAIN)\)$/);
  const garbled = await failure(webhook('http://user:cAnArY@127.0.0.1/'));
  assert.ok(!garbled.message.includes('cAnArY'));
});

test('a delivery that is called off ends at once', () =>
  withReceiver(async receiver => {
    receiver.answer = () => {};
    const abort = new AbortController();
    const arrived = receiver.next();
    const sent = webhook(receiver.url).send(notification('n1'), abort.signal);
    await arrived;
    abort.abort();
    await assert.rejects(sent, /was interrupted/);
    await assert.rejects(webhook(receiver.url).send(notification('n1'), abort.signal), /was interrupted/);
  }));

test('keys of rows are posted to who asked for them, in every style, and to nobody else', () =>
  withReceiver(async receiver => {
    const samples = { added: [], updated: ['4711, FR'], removed: ['4712', '4713'] };
    const told = { ...notification('n1'), code: 'HELD', samples } as const;
    const { signal } = new AbortController();
    for (const style of ['generic', 'slack', 'teams', 'cloudevents'] as const) {
      for (const wanted of [true, false])
        await webhook(receiver.url, { style, samples: wanted }).send(told, signal);
      const [shown, hidden] = receiver.received.slice(-2).map(({ body }) => body);
      for (const key of ['4711, FR', '4712', '4713']) assert.ok(shown!.includes(key), `${style} ${key}`);
      assert.doesNotMatch(hidden!, /471|samples/, style);
    }
  }));
