import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type QueryStream from 'pg-query-stream';
import { SluiceError } from '../../errors.ts';
import type { RowBatch } from '../../row-batch.ts';
import { DirectSocket, type SocketReader } from './connection/direct-socket.ts';
import { ConversionFault, type RowConversion, type Rows } from './values/row-conversion.ts';

/**
 * What this file uses of the driver's connection: the socket, and the listener that feeds
 * the driver's parser.
 */
export interface DriverConnection extends EventEmitter {
  readonly stream: Socket;
}

export interface DataRowStreamOptions {
  /** A portal that has been submitted to the connection and not read yet. */
  readonly portal: QueryStream;
  readonly connection: DriverConnection;
  /**
   * Rows asked for by one Execute; 0 asks for all, which lets the server plan parallel
   * workers.
   */
  readonly fetchSize: number;
  /** The socket may be silent for so long while it is being read; 0 is forever. */
  readonly inactivityTimeoutMs: number;
  /**
   * PostgreSQL refuses fields above 1 GiB; a row has to be held whole, so the limit is on
   * the row.
   */
  readonly maxRowBytes: number;
  /** Makes texts of the fields that come in binary; absent where none does. */
  readonly conversion?: RowConversion | undefined;
  /** Names of the fields: their number, and for errors. */
  readonly fieldNames: readonly string[];
  /** What was being done, for errors. */
  readonly doing: string;
  readonly toError: (cause: unknown) => SluiceError;
  /**
   * Drops the connection and with it the query; called when the stream is destroyed
   * before its end.
   */
  readonly abandon: () => void;
}

/** Rows are gathered until they fill so much, and limits below it are not seen. */
export const BATCH_BYTES = 256 * 1024;

/** Buffers that are kept for reuse: as many as batches are on their way. */
const MAX_SPARES = 8;
const FIRST_BOUNDS = 4096;

const MESSAGE_HEADER_BYTES = 5;
/** A DataRow's message type, length and count of fields precede its fields. */
const ROW_HEADER_BYTES = 7;
const DATA_ROW = 0x44;
const COMMAND_COMPLETE = 0x43;

/**
 * Rows of a portal as they stand on the wire (protocol 3.0, "Message Formats", DataRow).
 *
 * While the stream is active the driver's own listener is set aside: runs of DataRow
 * become a batch, and every other message is handed to the driver whole. Backpressure is
 * the paused socket. The stream ends only after the server told of as many rows as were
 * seen; whatever else happens is an error.
 *
 * A `DirectSocket` receives straight into the buffer of a batch; what other sockets bring
 * is copied there. A batch that is released lends its memory to a later one.
 */
export class DataRowStream extends Readable implements SocketReader {
  readonly #options: DataRowStreamOptions;
  readonly #socket: Socket;
  readonly #driverListener: (chunk: Buffer) => void;
  readonly #fieldCount: number;
  readonly #minRowBytes: number;

  #buffer: Buffer = Buffer.allocUnsafeSlow(BATCH_BYTES);
  /**
   * Bytes of `#buffer` that are filled, and how many of them have been cut into messages.
   */
  #filled = 0;
  #scanned = 0;
  #bounds: Int32Array = new Int32Array(FIRST_BOUNDS);
  #boundCount = 0;
  readonly #spares: Pick<RowBatch, 'bytes' | 'rowBounds'>[] = [];

  #pushedRows = 0;
  #rowsBeforeExecute = 0;
  #executeIsDue = true;
  /** The tag of CommandComplete, once seen. */
  #commandTag: string | undefined;
  /** Somebody reads, and hears of errors. */
  #read = false;
  #failure: SluiceError | undefined;

  constructor(options: DataRowStreamOptions) {
    super({ objectMode: true, highWaterMark: 2 });
    this.#options = options;
    this.#socket = options.connection.stream;
    this.#fieldCount = options.fieldNames.length;
    this.#minRowBytes = ROW_HEADER_BYTES + 4 * this.#fieldCount;
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
    if (socket instanceof DirectSocket) socket.reader = this;
    else socket.on('data', this.#onData);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onClose);
    socket.on('timeout', this.#onTimeout);
    this.#options.connection.on('errorMessage', this.#onServerError);
    done();
  }

  override _read(): void {
    this.#read = true;
    if (this.#socket.destroyed) this.#onClose();
    if (this.#failure) {
      this.destroy(this.#failure);
      return;
    }
    this.#socket.setTimeout(this.#options.inactivityTimeoutMs);
    this.#socket.resume();
    if (this.#executeIsDue) this.#execute();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const socket = this.#socket;
    socket.setTimeout(0);
    if (socket instanceof DirectSocket) socket.reader = undefined;
    else socket.off('data', this.#onData);
    socket.off('close', this.#onClose);
    socket.off('error', this.#onClose);
    socket.off('timeout', this.#onTimeout);
    this.#options.connection.off('errorMessage', this.#onServerError);
    socket.on('data', this.#driverListener);
    if (this.readableEnded) {
      // The driver goes on where this stream stopped, perhaps within a message, on a
      // socket that may be paused.
      if (this.#filled > this.#scanned)
        this.#driverListener(this.#buffer.subarray(this.#scanned, this.#filled));
      socket.resume();
    } else {
      // The rest of the rows can be gigabytes, and closing the portal would wait for
      // them.
      this.#options.abandon();
    }
    done(error);
  }

  #execute(): void {
    this.#executeIsDue = false;
    this.#rowsBeforeExecute = this.rows;
    this.#options.portal.cursor.read(this.#options.fetchSize, (cause: Error | undefined) => {
      if (this.destroyed) return;
      if (cause) this.#fail(this.#options.toError(cause));
      else this.#onExecuted();
    });
  }

  /**
   * An Execute has ended: with the last row (CommandComplete), or after `fetchSize` rows
   * (PortalSuspended).
   */
  #onExecuted(): void {
    const { fetchSize } = this.#options;
    const tag = this.#commandTag;
    const toldRows = tag === undefined ? fetchSize : Number(/^SELECT (\d+)$/.exec(tag)?.[1] ?? Number.NaN);
    const seenRows = this.rows - this.#rowsBeforeExecute;
    if (toldRows !== seenRows || (tag === undefined && fetchSize === 0)) {
      this.#failIncomplete(`the server reported "${tag ?? 'portal suspended'}" but ${seenRows} rows arrived`);
    } else if (tag !== undefined) {
      this.#socket.setTimeout(0);
      this.#pushBatch();
      if (!this.#failure) this.push(null);
    } else if (this.#socket.isPaused()) {
      this.#executeIsDue = true;
    } else {
      this.#execute();
    }
  }

  room(): Uint8Array | undefined {
    return this.#filled < this.#buffer.length ? this.#buffer.subarray(this.#filled) : undefined;
  }

  onRead(bytes: Buffer): void {
    if (bytes.buffer !== this.#buffer.buffer) {
      this.#onData(bytes);
    } else if (!this.#failure) {
      this.#filled += bytes.length;
      this.#scan();
      if (this.#filled === this.#buffer.length) this.#pushBatch();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    let offset = 0;
    while (offset < chunk.length && !this.#failure && !this.destroyed) {
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
    const fieldCount = this.#fieldCount;
    const minRowBytes = this.#minRowBytes;
    let bounds = this.#bounds;
    let boundCount = this.#boundCount;
    let at = this.#scanned;
    while (at + MESSAGE_HEADER_BYTES <= filled) {
      const end =
        at +
        1 +
        ((buffer[at + 1]! << 24) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 8) | buffer[at + 4]!);
      if (end > filled) break;
      if (
        buffer[at] === DATA_ROW &&
        end - at >= minRowBytes &&
        ((buffer[at + 5]! << 8) | buffer[at + 6]!) === fieldCount
      ) {
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
        this.#onMessage(at, end);
        if (this.#failure) break;
      }
      at = end;
    }
    this.#boundCount = boundCount;
    this.#scanned = at;
  }

  /** What is not a well-formed DataRow: for the driver, or the end. */
  #onMessage(at: number, end: number): void {
    const type = this.#buffer[at]!;
    if (end - at < MESSAGE_HEADER_BYTES || type === DATA_ROW) {
      const what = `a message of type ${JSON.stringify(String.fromCharCode(type))} and ${end - at} bytes`;
      this.#failIncomplete(`after ${this.rows} rows came ${what} that is not as the protocol wants it`);
      return;
    }
    if (type === COMMAND_COMPLETE)
      this.#commandTag = this.#buffer.toString('latin1', at + MESSAGE_HEADER_BYTES, end - 1);
    try {
      // A copy: the driver may keep what it is given, and this buffer goes downstream.
      this.#driverListener(Buffer.from(this.#buffer.subarray(at, end)));
    } catch (cause) {
      this.#fail(this.#options.toError(cause));
    }
  }

  /**
   * Sends the rows that are whole downstream and begins a new buffer with the message
   * that is not.
   */
  #pushBatch(): void {
    const buffer = this.#buffer;
    const rowCount = this.#boundCount >> 1;
    const begun = buffer.subarray(this.#scanned, this.#filled);
    const begunBytes = begun.length < MESSAGE_HEADER_BYTES ? 0 : begun.readInt32BE(1) + 1;
    const tooLarge = begunBytes > this.#options.maxRowBytes;
    if (tooLarge && begun.length === buffer.length) {
      this.#fail(this.#tooLarge(begun, begunBytes));
      return;
    }
    const rowBounds = this.#bounds;
    const { conversion } = this.#options;
    if (rowCount > 0 && conversion) {
      if (!this.#pushConverted(conversion, { bytes: buffer, rowBounds, rowCount })) return;
      // What the rows were converted from is filled again.
      this.#spare(buffer, rowBounds);
    }
    // One buffer of a row that is too large is filled, to see which column makes it so.
    const needed = Math.max(BATCH_BYTES, tooLarge ? 0 : begunBytes);
    const spare = needed === BATCH_BYTES ? this.#spares.pop() : undefined;
    this.#buffer = spare?.bytes ?? Buffer.allocUnsafeSlow(needed);
    begun.copy(this.#buffer);
    this.#filled = begun.length;
    this.#scanned = 0;
    if (rowCount === 0) return;
    this.#bounds = spare?.rowBounds ?? new Int32Array(rowBounds.length);
    this.#boundCount = 0;
    this.#pushedRows += rowCount;
    if (!conversion) this.#pushRows({ bytes: buffer, rowBounds, rowCount });
  }

  #pushRows(rows: Rows): void {
    const release = (): void => this.#reuse(batch);
    const batch: RowBatch = { ...rows, changes: undefined, release };
    if (!this.push(batch)) {
      this.#socket.pause();
      this.#socket.setTimeout(0);
    }
  }

  /** Whether all of them could be converted. */
  #pushConverted(conversion: RowConversion, rows: Rows): boolean {
    try {
      for (let row = 0; row < rows.rowCount; ) {
        const converted = conversion.convert(rows, row, this.#spares.pop());
        row += converted.rowCount;
        this.#pushRows(converted);
      }
      return true;
    } catch (cause) {
      this.#fail(this.#notConverted(cause));
      return false;
    }
  }

  #notConverted(cause: unknown): SluiceError {
    if (!(cause instanceof ConversionFault)) return this.#options.toError(cause);
    const { doing, fieldNames } = this.#options;
    const message = `${doing}: column "${fieldNames[cause.field]}": ${cause.message}`;
    const hint = 'cast the column in the model, as with `::text`, or leave it out of the mapping';
    const code = cause.isTooLarge ? 'SOURCE_VALUE_TOO_LARGE' : 'SOURCE_QUERY_FAILED';
    return new SluiceError(code, message, { cause, stage: 'source', ...(!cause.isTooLarge && { hint }) });
  }

  #reuse(batch: RowBatch): void {
    const { bytes, rowBounds, release } = batch;
    if (release === undefined) return;
    batch.release = undefined;
    this.#spare(bytes, rowBounds);
  }

  #spare(bytes: Buffer, rowBounds: Int32Array): void {
    if (bytes.length === BATCH_BYTES && this.#spares.length < MAX_SPARES)
      this.#spares.push({ bytes, rowBounds });
  }

  #tooLarge(begun: Buffer, bytes: number): SluiceError {
    let at = ROW_HEADER_BYTES;
    let field = 0;
    while (at + 4 <= begun.length && at + 4 + begun.readInt32BE(at) < begun.length) {
      at += 4 + Math.max(0, begun.readInt32BE(at));
      field++;
    }
    const { doing, fieldNames, maxRowBytes } = this.#options;
    const column = fieldNames[field] ?? '?';
    const fieldBytes = at + 4 <= begun.length ? begun.readInt32BE(at) : 0;
    const message = `${doing}: row ${this.rows + 1} has ${bytes} bytes, ${fieldBytes} of them in column "${column}"; the limit is ${maxRowBytes} bytes a row`;
    return new SluiceError('SOURCE_VALUE_TOO_LARGE', message, { stage: 'source' });
  }

  #failIncomplete(seen: string): void {
    this.#fail(new SluiceError('SOURCE_INCOMPLETE', `${this.#options.doing}: ${seen}`, { stage: 'source' }));
  }

  /**
   * An error that nobody listens to would end the process: until somebody reads it is
   * kept.
   */
  #fail(error: SluiceError): void {
    this.#failure ??= error;
    if (this.#read) this.destroy(this.#failure);
  }

  readonly #onServerError = (cause: unknown): void => this.#fail(this.#options.toError(cause));

  readonly #onClose = (cause?: unknown): void => {
    const closed = new Error('the connection was closed by the other side');
    this.#fail(this.#options.toError(cause instanceof Error ? cause : closed));
  };

  readonly #onTimeout = (): void => {
    const { doing, inactivityTimeoutMs } = this.#options;
    const message = `${doing}: the source sent nothing for ${inactivityTimeoutMs / 1000} s after ${this.rows} rows`;
    this.#fail(new SluiceError('SOURCE_TIMEOUT', message, { stage: 'source' }));
  };
}
