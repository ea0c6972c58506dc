import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A connection on which a test writes whatever it likes. */
export class RawConnection {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A server that ends the connection hard is an answer too.
    socket.on('error', () => this.#wake());
    socket.on('close', () => this.#wake());
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  write(...pieces: readonly (string | Buffer)[]): void {
    for (const piece of pieces) if (!this.socket.destroyed) this.socket.write(piece);
  }

  /** The next whole answer; `undefined` where the connection ends before it. */
  async answer(): Promise<RawAnswer | undefined> {
    for (;;) {
      const found = takeAnswer(this.#received, this.socket.destroyed);
      if (found !== undefined) {
        this.#received = this.#received.subarray(found.length);
        return found.answer;
      }
      if (this.socket.destroyed) return undefined;
      await this.#more();
    }
  }

  /** What came until now or until the text that is waited for. */
  async until(text: string): Promise<string> {
    while (!this.#received.includes(text) && !this.socket.destroyed) await this.#more();
    return this.#received.toString();
  }

  async closed(): Promise<void> {
    this.socket.resume();
    if (!this.socket.destroyed) await once(this.socket, 'close');
  }

  destroy(): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }
}

/** Sends, takes one answer, and ends the connection. */
export async function rawRequest(
  port: number,
  ...pieces: readonly (string | Buffer)[]
): Promise<RawAnswer | undefined> {
  const connection = await RawConnection.open(port);
  connection.write(...pieces);
  const answer = await connection.answer();
  connection.destroy();
  return answer;
}

function takeAnswer(bytes: Buffer, isEnded: boolean): { answer: RawAnswer; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  const headers = new Headers(
    lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const declared = headers.get('content-length');
  const start = end + 4;
  if (declared === null && status !== 204 && !isEnded) return undefined;
  const length = declared === null ? bytes.length - start : Number(declared);
  if (bytes.length < start + length) return undefined;
  return {
    answer: { status, headers, text: bytes.toString('utf8', start, start + length) },
    length: start + length,
  };
}
