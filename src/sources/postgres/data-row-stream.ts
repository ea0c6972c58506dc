import { type EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type QueryStream from 'pg-query-stream';
import { SluiceError } from '../../errors.ts';
import type { RowBatch } from '../../row-batch.ts';

/** What this file uses of the driver's connection: the socket, and the listener that feeds the driver's parser. */
export interface DriverConnection extends EventEmitter {
  readonly stream: Socket;
}

export interface DataRowStreamOptions {
  /** A portal that has been submitted to the connection and not read yet. */
  readonly portal: QueryStream;
  readonly connection: DriverConnection;
  /** Rows asked for by one Execute; 0 asks for all, which lets the server plan parallel workers. */
  readonly fetchSize: number;
  /** The socket may be silent for so long while it is being read; 0 is for ever. */
  readonly inactivityTimeoutMs: number;
  /** Names of the fields, for errors. */
  readonly fieldNames: readonly string[];
  readonly toError: (cause: unknown) => SluiceError;
  /** Asks the server to give up the query; called when the stream is destroyed before its end. */
  readonly cancel: () => Promise<void>;
}

const BATCH_BYTES = 256 * 1024;
/** PostgreSQL refuses fields above 1 GiB; a row has to be held whole, so the limit is on the row. */
const MAX_ROW_BYTES = 512 * 1024 * 1024;

const MESSAGE_HEADER_BYTES = 5;
/** A DataRow's message type, length and count of fields precede its fields. */
const ROW_HEADER_BYTES = 7;
const DATA_ROW = 0x44;
const COMMAND_COMPLETE = 0x43;

/**
 * Rows of a portal as they stand on the wire (protocol 3.0, "Message Formats", DataRow).
 *
 * While the stream is active the driver's own listener is set aside: runs of DataRow become a batch, and every
 * other message is handed to the driver whole. Backpressure is the paused socket. The stream ends only after
 * CommandComplete said as many rows as were seen; whatever else happens is an error.
 */
export class DataRowStream extends Readable {
  readonly #options: DataRowStreamOptions;
  readonly #socket: Socket;
  readonly #driverListener: (chunk: Buffer) => void;

  #buffer = Buffer.allocUnsafeSlow(BATCH_BYTES);
  /** Bytes of `#buffer` that are filled, and how many of them have been cut into messages. */
  #filled = 0;
  #scanned = 0;
  #bounds = new Int32Array(4096);
  #boundCount = 0;

  #pushedRows = 0;
  #rowsBeforeExecute = 0;
  #started = false;
  #silent = false;
  /** The tag of CommandComplete, once seen. */
  #commandTag: string | undefined;

  constructor(options: DataRowStreamOptions) {
    super({ objectMode: true, highWaterMark: 2 });
    this.#options = options;
    this.#socket = options.connection.stream;
    const listeners = this.#socket.listeners('data') as ((chunk: Buffer) => void)[];
    if (listeners.length !== 1)
      throw new TypeError(`expected the driver's one data listener, saw ${listeners.length}`);
    this.#driverListener = listeners[0]!;
  }

  /** Rows seen so far. */
  get rows(): number {
    return this.#pushedRows + (this.#boundCount >> 1);
  }

  override _construct(done: (error?: Error) => void): void {
    const socket = this.#socket;
    socket.off('data', this.#driverListener);
    socket.on('data', this.#onData);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onClose);
    if (this.#options.inactivityTimeoutMs > 0) {
      socket.setTimeout(this.#options.inactivityTimeoutMs);
      socket.on('timeout', this.#onTimeout);
    }
    done();
  }

  override _read(): void {
    if (this.#socket.destroyed) {
      this.#onClose();
    } else if (!this.#started) {
      this.#started = true;
      this.#execute();
    } else if (this.#socket.isPaused()) {
      this.#socket.resume();
      // A timeout that fired while the socket was paused on purpose has to be armed again.
      if (this.#silent) this.#socket.setTimeout(this.#options.inactivityTimeoutMs);
      this.#silent = false;
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('close', this.#onClose);
    socket.off('error', this.#onClose);
    socket.off('timeout', this.#onTimeout);
    socket.setTimeout(0);
    if (this.readableEnded || socket.destroyed) {
      socket.on('data', this.#driverListener);
      done(error);
      return;
    }
    // The server may be in the middle of a long sort or a send: it is told, and then the connection is dropped,
    // because the rest of the rows can be gigabytes and closing the portal would wait for them.
    socket.on('data', () => {});
    const closed = once(socket, 'close');
    this.#options.cancel().finally(() => {
      socket.destroy();
      closed.then(
        () => done(error),
        () => done(error),
      );
    });
  }

  #execute(): void {
    this.#rowsBeforeExecute = this.rows;
    this.#options.portal.cursor.read(this.#options.fetchSize, (cause: Error | undefined) => {
      if (this.destroyed) return;
      if (cause) this.destroy(this.#options.toError(cause));
      else if (this.#commandTag !== undefined) this.#end();
      else this.#execute();
    });
    this.#socket.resume();
  }

  #end(): void {
    const tag = this.#commandTag!;
    const told = Number(/ (\d+)$/.exec(tag)?.[1] ?? Number.NaN);
    const seenRows = this.rows - this.#rowsBeforeExecute;
    if (told !== seenRows) {
      const seen = `the server reported "${tag}" but ${seenRows} rows arrived`;
      this.destroy(new SluiceError('SOURCE_INCOMPLETE', seen, { stage: 'source' }));
      return;
    }
    this.#pushBatch();
    this.push(null);
  }

  readonly #onData = (chunk: Buffer): void => {
    let offset = 0;
    while (offset < chunk.length && !this.destroyed) {
      const count = Math.min(chunk.length - offset, this.#buffer.length - this.#filled);
      chunk.copy(this.#buffer, this.#filled, offset, offset + count);
      this.#filled += count;
      offset += count;
      this.#scan();
      if (this.#filled === this.#buffer.length) this.#pushBatch();
    }
  };

  /** Cuts what has arrived into messages. Invariant: a message begins at `#scanned`. */
  // hot: bench/row-path
  #scan(): void {
    const buffer = this.#buffer;
    const filled = this.#filled;
    let bounds = this.#bounds;
    let boundCount = this.#boundCount;
    let at = this.#scanned;
    while (at + MESSAGE_HEADER_BYTES <= filled) {
      const end =
        at +
        1 +
        ((buffer[at + 1]! << 24) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 8) | buffer[at + 4]!);
      if (end > filled) break;
      if (buffer[at] === DATA_ROW) {
        if (boundCount === bounds.length) {
          bounds = new Int32Array(boundCount * 2);
          bounds.set(this.#bounds);
          this.#bounds = bounds;
        }
        bounds[boundCount] = at + ROW_HEADER_BYTES;
        bounds[boundCount + 1] = end;
        boundCount += 2;
      } else {
        this.#boundCount = boundCount;
        this.#passToDriver(buffer.subarray(at, end));
      }
      at = end;
    }
    this.#boundCount = boundCount;
    this.#scanned = at;
  }

  #passToDriver(message: Buffer): void {
    if (message[0] === COMMAND_COMPLETE) {
      this.#commandTag = message.toString('latin1', MESSAGE_HEADER_BYTES, message.length - 1);
    }
    // A copy: the driver may keep what it is given, and this buffer goes downstream.
    this.#driverListener(Buffer.from(message));
  }

  /** Sends the rows that are whole downstream and begins a new buffer with the message that is not. */
  #pushBatch(): void {
    const buffer = this.#buffer;
    const rowCount = this.#boundCount >> 1;
    const begun = buffer.subarray(this.#scanned, this.#filled);
    const begunBytes = begun.length < MESSAGE_HEADER_BYTES ? 0 : begun.readInt32BE(1) + 1;
    if (begunBytes > MAX_ROW_BYTES) {
      this.destroy(this.#tooLarge(begun, begunBytes));
      return;
    }
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(BATCH_BYTES, begunBytes + ROW_HEADER_BYTES));
    begun.copy(this.#buffer);
    this.#filled = begun.length;
    this.#scanned = 0;
    if (rowCount === 0) return;
    const rowBounds = this.#bounds.slice(0, this.#boundCount);
    this.#boundCount = 0;
    this.#pushedRows += rowCount;
    const batch: RowBatch = { bytes: buffer, rowCount, rowBounds, changes: undefined };
    if (!this.push(batch)) this.#socket.pause();
  }

  #tooLarge(begun: Buffer, bytes: number): SluiceError {
    let at = ROW_HEADER_BYTES;
    let field = 0;
    while (at + 4 <= begun.length && at + 4 + begun.readInt32BE(at) < begun.length) {
      at += 4 + Math.max(0, begun.readInt32BE(at));
      field++;
    }
    const column = this.#options.fieldNames[field] ?? '?';
    const message = `row ${this.rows + 1} has ${bytes} bytes, most of them in column "${column}"; the limit is ${MAX_ROW_BYTES} bytes a row`;
    return new SluiceError('SOURCE_VALUE_TOO_LARGE', message, { stage: 'source' });
  }

  readonly #onClose = (cause?: unknown): void => {
    const lost = Object.assign(new Error('the connection was closed by the other side'), {
      code: 'ECONNRESET',
    });
    this.destroy(this.#options.toError(cause instanceof Error ? cause : lost));
  };

  readonly #onTimeout = (): void => {
    this.#silent = true;
    if (this.#socket.isPaused()) return;
    const seconds = this.#options.inactivityTimeoutMs / 1000;
    const message = `the source sent nothing for ${seconds} s after ${this.rows} rows`;
    this.destroy(new SluiceError('SOURCE_TIMEOUT', message, { stage: 'source' }));
  };
}
