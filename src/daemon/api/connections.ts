import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './limits.ts';

/**
 * One for all requests: an error made for each, with its stack, costs more than looking
 * the request up.
 */
const GONE = new DOMException('the request is over', 'AbortError');

/** What tells of a request's end; made only for who wants to know. */
type OnEnd = AbortController | undefined;

/** Knows every connection and every request under way, and ends both in good order. */
export class Connections {
  readonly #limits: HttpLimits;
  /** Responses under way, by connection. */
  readonly #underWay = new Map<Socket, Map<ServerResponse, OnEnd>>();
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
    server.on('connection', socket => this.#opened(socket));
    // Before the handlers of requests, which may ask for their signals.
    server.prependListener('request', (_request, response) => this.#began(response));
    // Full: who only keeps a connection for later makes room for who asks something now.
    server.on('drop', () => server.closeIdleConnections());
  }

  /**
   * Whether what came last can be answered on the connection: no answer to an earlier
   * request is under way, nor one to a request that came whole.
   */
  canAnswer(socket: Socket): boolean {
    const [first, ...others] = this.#underWay.get(socket)?.keys() ?? [];
    if (!socket.writable || others.length > 0) return false;
    return first === undefined || (!first.headersSent && !first.req.complete);
  }

  /**
   * Aborts when the client goes away, when the answer is complete, and when the server
   * closes.
   */
  signalOf(response: ServerResponse): AbortSignal {
    const responses = this.#underWay.get(response.req.socket);
    if (responses === undefined || !responses.has(response)) return AbortSignal.abort(GONE);
    const controller = responses.get(response) ?? new AbortController();
    responses.set(response, controller);
    return controller.signal;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined || !server.listening) return;
    this.#isClosing = true;
    const closed = once(server, 'close');
    server.close();
    for (const [socket, responses] of this.#underWay) {
      if (responses.size === 0) socket.destroy();
      for (const controller of responses.values()) controller?.abort(GONE);
    }
    const timer = setTimeout(() => {
      for (const socket of this.#underWay.keys()) socket.destroy();
    }, this.#limits.closeTimeoutMs);
    await closed;
    clearTimeout(timer);
  }

  #opened(socket: Socket): void {
    const responses = new Map<ServerResponse, OnEnd>();
    this.#underWay.set(socket, responses);
    // Responses that wait behind another on the connection are not told that it is gone.
    socket.once('close', () => {
      this.#underWay.delete(socket);
      for (const controller of responses.values()) controller?.abort(GONE);
    });
  }

  #began(response: ServerResponse): void {
    const { socket } = response.req;
    const responses = this.#underWay.get(socket);
    if (responses === undefined) return;
    responses.set(response, undefined);
    response.once('close', () => {
      const onEnd = responses.get(response);
      responses.delete(response);
      onEnd?.abort(GONE);
      if (this.#isClosing && responses.size === 0) socket.destroySoon();
    });
  }
}
