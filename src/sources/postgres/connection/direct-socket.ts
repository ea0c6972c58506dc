import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** Takes what a `DirectSocket` receives. */
export interface SocketReader {
  /**
   * Where the next bytes are to go; `undefined` leaves that to the socket. Asked for
   * after each `onRead`.
   */
  room(): Uint8Array | undefined;
  /**
   * The bytes that came: in the front of what `room` gave, or in memory that is the
   * socket's again afterwards.
   */
  onRead(bytes: Buffer): void;
}

const OWN_BYTES = 16 * 1024;

/**
 * A socket that receives into memory of its reader's choice, which saves a copy and an
 * allocation for each chunk. Without a reader it emits `data` as others do. Not for TLS,
 * which has buffers of its own.
 */
export class DirectSocket extends Socket {
  reader: SocketReader | undefined;

  constructor() {
    const own = Buffer.allocUnsafeSlow(OWN_BYTES);
    const onread: OnReadOpts = {
      buffer: () => this?.reader?.room() ?? own,
      callback: (count, memory) => {
        if (this) this.#received(memory, count);
        return true;
      },
    };
    super({ onread } as SocketConstructorOpts);
  }

  #received(memory: Uint8Array, count: number): void {
    const bytes = Buffer.from(memory.buffer, memory.byteOffset, count);
    if (this.reader) this.reader.onRead(bytes);
    // A copy: who listens may keep it.
    else this.emit('data', Buffer.from(bytes));
  }
}
