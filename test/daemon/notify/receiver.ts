import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly url: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A real HTTP server that notes what it is sent and answers as the test says. */
export class Receiver {
  readonly received: Received[] = [];
  answer: (response: ServerResponse, request: Received) => void = response => response.end('ok');
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const { url = '', method = '', headers } = request;
      const received = { url, method, headers, body: Buffer.concat(chunks).toString() };
      this.received.push(received);
      this.#server.emit('received');
      this.answer(response, received);
    });
  });

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves at the next request. */
  async next(): Promise<void> {
    await once(this.#server, 'received');
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, 'close');
  }
}

export async function withReceiver(act: (receiver: Receiver) => Promise<void>): Promise<void> {
  const receiver = await Receiver.start();
  try {
    await act(receiver);
  } finally {
    await receiver.stop();
  }
}
