/**
 * An HTTP proxy in front of a blob endpoint, for faults and for looking at requests. A
 * hook decides about every request before its body is read; bodies are streamed through
 * unless the hook asks for them.
 */
import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/**
 * A request as the hook sees it. The account is that of the emulator's URLs: their first
 * segment.
 */
export interface BlobRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly query: URLSearchParams;
  /**
   * The operation, as in `?comp=block`; undefined for Put Blob, Get Blob, Delete Blob and
   * the like.
   */
  readonly comp: string | undefined;
  readonly container: string | undefined;
  /** Decoded name; undefined for requests about the container or the account. */
  readonly blob: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Reads the whole body, which is then forwarded from memory. */
  body(): Promise<Buffer>;
  /**
   * Status that the endpoint gave, whether the client got it or not; undefined when the
   * request never got there.
   */
  readonly outcome: Promise<number | undefined>;
}

export interface BlobAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/**
 * What to do with a request. `undefined` forwards it. An answer is given without
 * forwarding, after the body was taken. The rest:
 *   reset                   cut the connection, nothing reaches the endpoint
 *   reset-after-apply       the endpoint does the work, then the connection is cut instead of an answer
 *   black-hole              take the body, never answer; nothing reaches the endpoint
 *   black-hole-after-apply  the endpoint does the work; never answer
 *   delayUntil              forward when the promise is fulfilled; reset if it is rejected
 */
export type BlobAction =
  | undefined
  | BlobAnswer
  | 'reset'
  | 'reset-after-apply'
  | 'black-hole'
  | 'black-hole-after-apply'
  | { readonly delayUntil: Promise<unknown> };

export type BlobHook = (request: BlobRequest) => BlobAction | Promise<BlobAction>;

/** Asks the hooks in order; the first that does not let the request pass decides. */
export function firstOf(...hooks: readonly BlobHook[]): BlobHook {
  return async request => {
    for (const hook of hooks) {
      const action = await hook(request);
      if (action !== undefined) return action;
    }
    return undefined;
  };
}

export interface RecordedRequest extends BlobRequest {
  /** Undefined until the hook has decided, and when it lets the request pass. */
  action: BlobAction;
  /**
   * Status of the endpoint's answer, or of the hook's; undefined before, and without one.
   */
  status: number | undefined;
  /** Bytes of the request's body that came in so far. */
  bodyBytes: number;
}

export interface BlobProxy {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** Every request so far, in order of arrival. */
  readonly requests: readonly RecordedRequest[];
  /** The same URL, by way of the proxy. */
  through(url: string): string;
  setHook(hook: BlobHook | undefined): void;
  /** The first request, past or future, for which `matches` holds as it arrives. */
  seen(matches: (request: BlobRequest) => boolean): Promise<RecordedRequest>;
  /**
   * The first request, past or future, that was answered and for which `matches` holds.
   */
  answered(matches: (request: RecordedRequest) => boolean): Promise<RecordedRequest>;
  /** Cuts all connections, those that wait for an answer too. */
  close(): Promise<void>;
}

/** An answer in the shape of Azure Storage's errors. */
export function azureError(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): BlobAnswer {
  const text = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${code} by the proxy</Message></Error>`;
  return {
    status,
    headers: { 'x-ms-error-code': code, 'content-type': 'application/xml', ...headers },
    body: text,
  };
}

export interface BlobProxyOptions {
  /** What answers call the service, in the place of what it calls itself. */
  readonly server?: string;
}

/**
 * `target` is the URL of the account, a container or just the origin; the path of
 * requests is kept as it is.
 */
export async function startBlobProxy(
  target: string,
  initialHook?: BlobHook,
  { server: name }: BlobProxyOptions = {},
): Promise<BlobProxy> {
  const endpoint = new URL(target);
  const requests: RecordedRequest[] = [];
  const arrivals = new Watch<RecordedRequest>();
  const answers = new Watch<RecordedRequest>();
  // What waits for the endpoint keeps the process alive, whoever asked.
  const forwarded = new Set<http.ClientRequest>();
  let hook = initialHook;

  async function handle(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    reached: (status: number | undefined) => void,
    outcome: Promise<number | undefined>,
  ): Promise<void> {
    const body = new RequestBody(incoming);
    const recorded = record(incoming, body, outcome);
    incoming.on('data', (chunk: Buffer) => {
      recorded.bodyBytes += chunk.length;
    });
    incoming.pause(); // the listener above made it flow
    requests.push(recorded);
    arrivals.notify(recorded);

    const action = await hook?.(recorded);
    recorded.action = action;
    if (typeof action === 'object' && 'delayUntil' in action) await action.delayUntil;
    if (action === 'reset') return reset(incoming);
    if (action === 'black-hole') return void incoming.resume();
    if (typeof action === 'object' && 'status' in action) {
      await body.discard();
      recorded.status = action.status;
      outgoing.writeHead(action.status, {
        'x-ms-request-id': 'proxy',
        'x-ms-version': '2025-01-05',
        ...action.headers,
      });
      outgoing.end(incoming.method === 'HEAD' ? undefined : action.body);
      return answers.notify(recorded);
    }

    const answer = await forward(endpoint, incoming, body, forwarded);
    recorded.status = answer.statusCode;
    reached(answer.statusCode);
    if (action === 'reset-after-apply' || action === 'black-hole-after-apply') {
      await once(answer.resume(), 'end');
      if (action === 'reset-after-apply') reset(incoming);
    } else {
      if (name === undefined) outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      else outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, server: name });
      await pipeline(answer, outgoing);
    }
    answers.notify(recorded);
  }

  const server = http.createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (incoming, outgoing) => {
    let reached: (status: number | undefined) => void = () => {};
    const outcome = new Promise<number | undefined>(resolve => {
      reached = resolve;
    });
    handle(incoming, outgoing, reached, outcome)
      // A failing hook, endpoint or client: the client sees a cut connection, as from a
      // broken network.
      .catch(() => reset(incoming))
      .finally(() => reached(undefined));
  });
  server.on('connection', socket => socket.unref());
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    requests,
    through: url => {
      const { pathname, search } = new URL(url);
      return origin + pathname + search;
    },
    setHook: next => {
      hook = next;
    },
    seen: async matches => requests.find(matches) ?? arrivals.next(matches),
    answered: async matches =>
      requests.find(request => request.status !== undefined && matches(request)) ?? answers.next(matches),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      for (const request of forwarded) request.destroy();
      await closed;
    },
  };
}

function record(
  incoming: IncomingMessage,
  body: RequestBody,
  outcome: Promise<number | undefined>,
): RecordedRequest {
  const url = incoming.url ?? '/';
  const { pathname, searchParams } = new URL(url, 'http://proxy');
  const [container, ...blob] = pathname.split('/').slice(2);
  return {
    method: incoming.method ?? 'GET',
    url,
    query: searchParams,
    comp: searchParams.get('comp') ?? undefined,
    container: container || undefined,
    blob: blob.length > 0 ? decodeURIComponent(blob.join('/')) : undefined,
    headers: incoming.headers,
    body: () => body.read(),
    outcome,
    action: undefined,
    status: undefined,
    bodyBytes: 0,
  };
}

/** The body of a request, to be read once into memory or streamed on. */
class RequestBody {
  readonly #incoming: IncomingMessage;
  #contents: Promise<Buffer> | undefined;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  read(): Promise<Buffer> {
    this.#contents ??= this.#readAll();
    return this.#contents;
  }

  async discard(): Promise<void> {
    if (this.#contents) return void (await this.#contents);
    if (!this.#incoming.readableEnded) await once(this.#incoming.resume(), 'end');
  }

  async sendTo(request: http.ClientRequest): Promise<void> {
    if (this.#contents) request.end(await this.#contents);
    else await pipeline(this.#incoming, request);
  }

  async #readAll(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#incoming) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }
}

async function forward(
  endpoint: URL,
  incoming: IncomingMessage,
  body: RequestBody,
  forwarded: Set<http.ClientRequest>,
): Promise<IncomingMessage> {
  const { method, url: path, headers } = incoming;
  // A connection for each request: one kept alive could be closed by the endpoint just as
  // it is used again.
  const options = { host: endpoint.hostname, port: endpoint.port, method, path, agent: false };
  const request = http.request({ ...options, headers: { ...headers, connection: 'close' } });
  forwarded.add(request);
  request.once('close', () => forwarded.delete(request));
  incoming.once('close', () => {
    if (!incoming.complete) request.destroy();
  });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  // An endpoint may answer before it has taken the body; a request that cannot be sent
  // fails by itself.
  body.sendTo(request).catch(() => {});
  const [response] = await answered;
  return response;
}

function reset(incoming: IncomingMessage): void {
  incoming.socket.resetAndDestroy();
}

/** Waiters for the first of a sequence of things that fits. */
class Watch<T> {
  readonly #waiters = new Set<(item: T) => void>();

  next(matches: (item: T) => boolean): Promise<T> {
    return new Promise(resolve => {
      const waiter = (item: T) => {
        if (!matches(item)) return;
        this.#waiters.delete(waiter);
        resolve(item);
      };
      this.#waiters.add(waiter);
    });
  }

  notify(item: T): void {
    for (const waiter of [...this.#waiters]) waiter(item);
  }
}
