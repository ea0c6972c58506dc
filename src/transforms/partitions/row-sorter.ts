import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Change, type Partition, type RowBatch } from '../../row-batch.ts';
import { stateError } from '../../system-errors.ts';

/** Rows in memory, before they are set aside. */
const MEMORY_BYTES = 32 * 1024 * 1024;
/** So many files of one level are merged into one of the next. */
const FAN_IN = 16;
const READ_BYTES = 256 * 1024;
const BATCH_BYTES = 256 * 1024;

/** A record: number of the partition, change, length of the row, the row. */
const HEAD_BYTES = 9;
/** Places in memory are below it. */
const PLACES = 2 ** 32;

/**
 * Sorts rows by their partition in bounded memory: what does not fit is set aside on
 * disk, sorted, and merged in the end. Rows of one partition keep their order.
 */
export class RowSorter {
  readonly #directory: string;
  readonly #memoryBytes: number;
  readonly #partitions: Partition[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** Numbers that sort the records in memory: by partition, then by place. */
  #order: number[] = [];
  /** Files by level, the oldest first. */
  readonly #levels: string[][] = [];
  readonly #open = new Set<FileHandle>();
  #files = 0;

  constructor(directory: string, memoryBytes = MEMORY_BYTES) {
    this.#directory = directory;
    this.#memoryBytes = memoryBytes;
  }

  get isFull(): boolean {
    return this.#filled >= this.#memoryBytes;
  }

  /** Takes a copy. Await `setAside` after a batch where `isFull`. */
  add(partition: Partition, { bytes, rowBounds, changes }: RowBatch, row: number): void {
    const start = rowBounds[2 * row]!;
    const end = rowBounds[2 * row + 1]!;
    const at = this.#filled;
    const next = at + HEAD_BYTES + end - start;
    if (next > this.#bytes.length) this.#grow(next);
    this.#partitions[partition.index] = partition;
    this.#bytes.writeUInt32LE(partition.index, at);
    this.#bytes[at + 4] = changes?.[row] ?? Change.added;
    this.#bytes.writeUInt32LE(end - start, at + 5);
    bytes.copy(this.#bytes, at + HEAD_BYTES, start, end);
    this.#order.push(partition.index * PLACES + at);
    this.#filled = next;
  }

  /** Writes what is in memory to a file. */
  async setAside(): Promise<void> {
    await this.#write(0, this.#inMemory());
    this.#order = [];
    this.#filled = 0;
    // A few large rows may have made it larger.
    if (this.#bytes.length > 2 * this.#memoryBytes) this.#bytes = Buffer.alloc(0);
  }

  /** All rows that were added, as batches of one partition each. */
  async *sorted(): AsyncGenerator<RowBatch> {
    if (this.#levels.length > 0 && this.#filled > 0) await this.setAside();
    const files = this.#levels.toReversed().flat();
    const records = files.length > 0 ? this.#merge(files) : this.#inMemory();
    let open: OpenBatch | undefined;
    for await (const record of records) {
      const partition = this.#partitions[record.readUInt32LE(0)]!;
      if (open !== undefined && (open.partition !== partition || open.isFull)) {
        yield open.close();
        open = undefined;
      }
      open ??= new OpenBatch(partition);
      open.add(record);
    }
    if (open) yield open.close();
  }

  async remove(): Promise<void> {
    for (const file of this.#open) await file.close().catch(() => {});
    await rm(this.#directory, { recursive: true, force: true });
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length, READ_BYTES));
    this.#bytes.copy(grown, 0, 0, this.#filled);
    this.#bytes = grown;
  }

  *#inMemory(): Generator<Buffer> {
    for (const placed of Float64Array.from(this.#order).sort()) {
      const at = placed % PLACES;
      yield this.#bytes.subarray(at, at + HEAD_BYTES + this.#bytes.readUInt32LE(at + 5));
    }
  }

  /** Writes a file of a level, and makes one of those that it fills the level with. */
  async #write(level: number, records: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
    const path = await this.#setting(() => this.#writeFile(records));
    this.#levels[level] ??= [];
    const files = this.#levels[level];
    files.push(path);
    if (files.length < FAN_IN) return;
    await this.#write(level + 1, this.#merge(files));
    for (const merged of files.splice(0)) await rm(merged);
  }

  async #writeFile(records: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<string> {
    const path = join(this.#directory, `rows-${this.#files++}`);
    await mkdir(this.#directory, { recursive: true });
    const file = await this.#opened(path, 'w');
    let pieces: Buffer[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      await file.appendFile(Buffer.concat(pieces, bytes));
      pieces = [];
      bytes = 0;
    };
    for await (const record of records) {
      pieces.push(record);
      bytes += record.length;
      if (bytes >= READ_BYTES) await flush();
    }
    await flush();
    await this.#closed(file);
    return path;
  }

  async *#merge(paths: readonly string[]): AsyncGenerator<Buffer> {
    const readers: RecordReader[] = [];
    for (const path of paths) {
      const reader = new RecordReader(await this.#setting(() => this.#opened(path, 'r')));
      await this.#setting(() => reader.next());
      readers.push(reader);
    }
    for (;;) {
      let least: RecordReader | undefined;
      for (const reader of readers) if (reader.partition < (least?.partition ?? Infinity)) least = reader;
      if (least === undefined) break;
      yield least.record;
      const reading = least.next();
      if (reading) await this.#setting(() => reading);
    }
    for (const { file } of readers) await this.#closed(file);
  }

  async #opened(path: string, flags: string): Promise<FileHandle> {
    const file = await open(path, flags, 0o600);
    this.#open.add(file);
    return file;
  }

  async #closed(file: FileHandle): Promise<void> {
    this.#open.delete(file);
    await file.close();
  }

  async #setting<T>(act: () => T | Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw stateError(cause, `sorting rows by partition in ${this.#directory} failed`);
    }
  }
}

/** Reads the records of a file, one at a time. */
class RecordReader {
  readonly file: FileHandle;
  /** Valid until the next call of `next`. */
  record: Buffer = Buffer.alloc(0);
  /** That of the record; infinite behind the last one. */
  partition = Infinity;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(file: FileHandle) {
    this.file = file;
  }

  /** Resolved, or nothing is returned: the next record is there. */
  next(): Promise<void> | undefined {
    if (!this.#has(HEAD_BYTES) || !this.#has(this.#recordBytes)) return this.#read();
    this.record = this.#bytes.subarray(this.#at, this.#at + this.#recordBytes);
    this.partition = this.record.readUInt32LE(0);
    this.#at += this.record.length;
    return undefined;
  }

  get #recordBytes(): number {
    return HEAD_BYTES + this.#bytes.readUInt32LE(this.#at + 5);
  }

  #has(length: number): boolean {
    return this.#bytes.length - this.#at >= length;
  }

  async #read(): Promise<void> {
    const wanted = this.#has(HEAD_BYTES) ? Math.max(READ_BYTES, this.#recordBytes) : READ_BYTES;
    const { bytesRead, buffer } = await this.file.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, null);
    if (bytesRead === 0) {
      this.partition = Infinity;
      return;
    }
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), buffer.subarray(0, bytesRead)]);
    this.#at = 0;
    await this.next();
  }
}

class OpenBatch {
  readonly partition: Partition;
  readonly #rows: Buffer[] = [];
  readonly #bounds: number[] = [];
  readonly #changes: number[] = [];
  #bytes = 0;

  constructor(partition: Partition) {
    this.partition = partition;
  }

  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES;
  }

  add(record: Buffer): void {
    const row = record.subarray(HEAD_BYTES);
    this.#rows.push(row);
    this.#bounds.push(this.#bytes, this.#bytes + row.length);
    this.#changes.push(record[4]!);
    this.#bytes += row.length;
  }

  close(): RowBatch {
    return {
      bytes: Buffer.concat(this.#rows, this.#bytes),
      rowCount: this.#changes.length,
      rowBounds: Int32Array.from(this.#bounds),
      changes: Uint8Array.from(this.#changes),
      isLate: true,
      partition: this.partition,
    };
  }
}
