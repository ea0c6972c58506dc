import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './limits.ts';

/** Knows every connection and every request under way, and ends both in good order. */
export class Connections {
  readonly #limits: HttpLimits;
  /** Requests under way, by connection. */
  readonly #underWay = new Map<Socket, number>();
  readonly #requests = new Set<AbortController>();
  #server: Server | undefined;
  #isClosing = false;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Whether requests are turned away. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  watch(server: Server): void {
    const { connections, headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.#limits;
    this.#server = server;
    server.maxConnections = connections;
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = requestTimeoutMs;
    server.keepAliveTimeout = keepAliveTimeoutMs;
    server.on('connection', socket => {
      this.#underWay.set(socket, 0);
      socket.once('close', () => this.#underWay.delete(socket));
    });
    server.on('request', (request, response) => this.#began(request, response));
    // Full: who only keeps a connection for later makes room for who asks something now.
    server.on('drop', () => server.closeIdleConnections());
  }

  /** Whether an answer may be under way on it. */
  isBusy(socket: Socket): boolean {
    return (this.#underWay.get(socket) ?? 0) > 0;
  }

  /** Aborts when the client goes away, when the answer is complete, and when the server closes. */
  signalOf(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    if (this.#isClosing || response.destroyed) {
      controller.abort();
      return controller.signal;
    }
    this.#requests.add(controller);
    response.once('close', () => {
      this.#requests.delete(controller);
      controller.abort();
    });
    return controller.signal;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined || !server.listening) return;
    this.#isClosing = true;
    const closed = once(server, 'close');
    server.close();
    for (const [socket, underWay] of this.#underWay) if (underWay === 0) socket.destroy();
    for (const request of this.#requests) request.abort();
    const timer = setTimeout(() => {
      for (const socket of this.#underWay.keys()) socket.destroy();
    }, this.#limits.closeTimeoutMs);
    await closed;
    clearTimeout(timer);
  }

  #began({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (this.#underWay.get(socket) ?? 1) - 1;
      if (socket.destroyed) this.#underWay.delete(socket);
      else this.#underWay.set(socket, left);
      if (this.#isClosing && left === 0) socket.destroySoon();
    });
  }
}
