/** The head of an HTTP/1.1 request. Header names are in lower case. */
export interface RequestHead {
  readonly method: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly bodyBytes: number;
}

/** Where a request's body goes. The chunk may not be kept: it belongs to the socket. */
export interface BodySink {
  write(chunk: Buffer): void;
}

export interface RequestHandler {
  /** Called when the head is there; undefined discards the body. */
  begin(head: RequestHead): BodySink | undefined;
  /** Called when the body is complete. The next request waits for the promise. */
  end(head: RequestHead): undefined | Promise<void>;
  /** The peer does not speak the part of HTTP that is understood here. */
  refuse(reason: string): void;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const MAX_HEAD_BYTES = 65_536;

/**
 * Cuts the bytes of one connection into requests with a Content-Length. node:http would
 * do more per chunk than the benchmark wants to spend beside the program that it
 * measures.
 */
export class RequestFramer {
  readonly #handler: RequestHandler;
  /**
   * Bytes that cannot be handled yet: part of a head, or what follows a request that is
   * being answered.
   */
  #pending: Buffer = Buffer.alloc(0);
  #head: RequestHead | undefined;
  #sink: BodySink | undefined;
  #remaining = 0;
  #answering = false;

  constructor(handler: RequestHandler) {
    this.#handler = handler;
  }

  // hot: one call per chunk of every body. The promise, where there is one, is that of an
  // answer.
  push(chunk: Buffer): undefined | Promise<void> {
    if (!this.#answering && this.#head && chunk.length < this.#remaining) {
      this.#remaining -= chunk.length;
      this.#sink?.write(chunk);
      return undefined;
    }
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    return this.#answering ? undefined : this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#head || this.#readHead()) {
      const head = this.#head as RequestHead;
      const body = this.#pending.subarray(0, this.#remaining);
      this.#pending = this.#pending.subarray(body.length);
      this.#remaining -= body.length;
      if (body.length > 0) this.#sink?.write(body);
      if (this.#remaining > 0) return;
      this.#head = undefined;
      this.#sink = undefined;
      const answer = this.#handler.end(head);
      if (answer === undefined) continue;
      this.#answering = true;
      await answer;
      this.#answering = false;
    }
  }

  #readHead(): boolean {
    const end = this.#pending.indexOf(HEAD_END);
    if (end === -1) {
      if (this.#pending.length > MAX_HEAD_BYTES) this.#handler.refuse('the head of the request is too long');
      return false;
    }
    const [requestLine = '', ...lines] = this.#pending.toString('latin1', 0, end).split('\r\n');
    this.#pending = this.#pending.subarray(end + HEAD_END.length);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    if (headers.has('transfer-encoding')) {
      this.#handler.refuse('the request has no Content-Length');
      return false;
    }
    const [method = '', url = ''] = requestLine.split(' ');
    this.#remaining = Number(headers.get('content-length') ?? 0);
    this.#head = { method, url, headers, bodyBytes: this.#remaining };
    this.#sink = this.#handler.begin(this.#head);
    return true;
  }
}
