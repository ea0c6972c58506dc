/**
 * A blob endpoint that takes what it is given and throws it away, as cheaply as it can:
 * beside the program that is measured it shall cost little. `--keep` makes it keep the
 * contents in files instead, for verification. A process of its own: it writes its URL as
 * the first line of standard output and ends when its standard input does.
 *
 *   GET /_counts        what came in since the start or the last reset, and the CPU that this process used
 *   POST /_reset        forgets blobs and counts
 */
import { createServer, type Socket } from 'node:net';
import type { Receiver } from './body-receiver.ts';
import { DiscardStore, type StoreAnswer } from './discard-store.ts';
import { RequestFramer, type RequestHead } from './request-framer.ts';

const REASONS = new Map(
  Object.entries({ 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 206: 'Partial' }),
);

const store = new DiscardStore(process.argv.includes('--keep'));
let requestNumber = 0;

const server = createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has no port');
  process.stdout.write(`http://127.0.0.1:${address.port}/discard\n`);
});
process.stdin.resume().on('close', () => {
  store.close();
  process.exit(0);
});

function serve(socket: Socket): void {
  let receiver: Receiver | undefined;
  const framer = new RequestFramer({
    begin: head => {
      if (head.headers.get('expect')?.toLowerCase() === '100-continue')
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      receiver = store.receive(head);
      return receiver;
    },
    end: head => {
      const received = receiver;
      receiver = undefined;
      const answer = control(head) ?? store.answer(head, received);
      return send(socket, head, answer);
    },
    refuse: reason => {
      socket.end(`HTTP/1.1 411 ${reason}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    },
  });
  socket.on('error', () => {});
  socket.on('data', chunk => {
    framer.push(chunk)?.catch(() => socket.destroy());
  });
  socket.on('close', () => receiver?.abandon());
}

function send(socket: Socket, head: RequestHead, answer: StoreAnswer): undefined | Promise<void> {
  requestNumber += 1;
  const headers: Record<string, string> = {
    'content-length': String(answer.body?.length ?? 0),
    date: new Date().toUTCString(),
    'x-ms-request-id': `00000000-0000-4000-8000-${requestNumber.toString(16).padStart(12, '0')}`,
    'x-ms-version': head.headers.get('x-ms-version') ?? '2025-01-05',
    'x-ms-request-server-encrypted': 'true',
    ...answer.headers,
  };
  const clientId = head.headers.get('x-ms-client-request-id');
  if (clientId !== undefined) headers['x-ms-client-request-id'] = clientId;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `HTTP/1.1 ${answer.status} ${REASONS.get(String(answer.status)) ?? 'Refused'}\r\n${lines.join('')}\r\n`,
    'latin1',
  );
  if (head.method === 'HEAD') return undefined;
  if (answer.body) socket.write(answer.body);
  return answer.stream && sendStream(socket, answer.stream);
}

async function sendStream(socket: Socket, stream: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of stream) {
    if (socket.destroyed) return;
    if (socket.write(chunk)) continue;
    await new Promise<void>(resolve => {
      const go = () => {
        socket.off('drain', go).off('close', go);
        resolve();
      };
      socket.on('drain', go).on('close', go);
    });
  }
}

function control(head: RequestHead): StoreAnswer | undefined {
  if (head.url === '/_reset') {
    store.reset();
    return { status: 204 };
  }
  if (head.url !== '/_counts') return undefined;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { userMs: userCPUTime / 1000, systemMs: systemCPUTime / 1000, peakRssBytes: maxRSS * 1024 };
  const body = Buffer.from(JSON.stringify({ ...store.counts, ...usage }));
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}
