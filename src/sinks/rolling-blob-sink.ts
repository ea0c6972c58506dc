import { Writable } from 'node:stream';
import { type Encoder, isBuffering } from '../encoders/encoder.ts';
import { SluiceError } from '../errors.ts';
import type { Change, Partition, RowBatch } from '../row-batch.ts';
import { blockIds } from './block-ids.ts';
import { BlockStager } from './block-stager.ts';
import { BufferedBody } from './bodies/buffered-body.ts';
import { ChunkPool } from './bodies/chunk-pool.ts';
import { CompressedBody } from './bodies/compressed-body.ts';
import { COMPRESSIONS, type CompressionName } from './bodies/compressions.ts';
import type { PartBody } from './bodies/part-body.ts';
import { PlainBody } from './bodies/plain-body.ts';
import { PartWriter } from './part-writer.ts';
import { type RollOptions, type RollPolicy, rollPolicy } from './roll-policy.ts';
import { changeBits, RowSelector } from './row-selection.ts';
import {
  type BlobStore,
  type ChecksumName,
  DEFAULT_CHECKSUMS,
  type ResumePoint,
  type StagedFile,
} from './sink.ts';
import { StagedBlob } from './staged-blob.ts';

/** A file, or its parts, and the rows that go into it. */
export interface Series {
  /**
   * What `nameOf`, `createEncoder` and the staged files call it by; absent where there is
   * one series only.
   */
  readonly change?: Change;
  /** Batches without changes go whole into the only series, whatever it wants. */
  readonly wants: readonly Change[];
}

export interface RollingBlobSinkOptions extends RollOptions {
  readonly store: Pick<BlobStore, 'stageBlock'>;
  /** Each partition has them, where batches are of one. */
  readonly series: readonly Series[];
  /** Called once per part. */
  createEncoder(change: Change | undefined): Encoder;
  /** The full name in the container. `part` counts from 1. */
  nameOf(change: Change | undefined, part: number, partition: Partition | undefined): string;
  readonly runId: string;
  /** Default 0; see `blockIds`. */
  readonly attempt?: number | undefined;
  /** Number of the first file, where others stage files of the run as well; default 0. */
  readonly firstFileIndex?: number | undefined;
  readonly compression: 'none' | CompressionName;
  /** 1 to 9 for gzip, default 6; 1 to 19 for zstd, default 3. */
  readonly level?: number | undefined;
  /** What compresses with gzip, zlib for `library`; default `fast`. */
  readonly engine?: 'fast' | 'library' | undefined;
  /** What each file has; default CRC64 and SHA-256. */
  readonly checksums?: readonly ChecksumName[] | undefined;
  /**
   * The number of each part of the only series, where others number parts as well. Asked
   * when a part has its first row, or is to be written without any.
   */
  readonly nextPart?: (() => Promise<number>) | undefined;
  /** Default 4. */
  readonly blocksInFlight?: number | undefined;
  /**
   * Whether a series without rows gives a file, which holds what the format writes for no
   * rows. A partition without rows has no files.
   */
  readonly emptyFiles: 'write' | 'skip';
  readonly encryptionScope?: string | undefined;
  /** Where the only series begins; default its first part. */
  readonly start?: SeriesStart | undefined;
  /** Every batch is of a partition. */
  readonly partitioned?: boolean | undefined;
  /** The same for a partition, asked once it has rows. */
  readonly startOf?: ((partition: Partition) => Promise<SeriesStart>) | undefined;
}

export interface SeriesStart {
  /** The file that is gone on with before another is begun. */
  readonly resume: ResumePoint | undefined;
  /** Number of the part that is begun first where none is continued. */
  readonly firstPart: number;
}

interface OpenSeries {
  readonly partition: Partition | undefined;
  readonly change: Change | undefined;
  readonly wanted: number;
  readonly resume: ResumePoint | undefined;
  part: PartWriter | undefined;
  /** Number of the part that was opened last, or that comes before the first one. */
  parts: number;
  isBegun: boolean;
  readonly files: StagedFile[];
}

/**
 * Stages row batches as the blocks of files and begins the next part where a file is
 * full. The files of one partition are open at a time: a batch of another closes them.
 * Nothing becomes visible: after `finish`, when every block is acknowledged, `files` says
 * what a commit has to list.
 *
 * A failed block destroys the sink at once, also while no row comes. `close` is emitted
 * when no request and no compression uses memory of the sink any more; requests under way
 * are aborted for that.
 */
export class RollingBlobSink extends Writable {
  /** Rows written to files so far. */
  rowsWritten = 0;
  /**
   * Values that the format could hold only as something else, by the column's name in the
   * file; of closed parts.
   */
  readonly coerced = new Map<string, number>();

  readonly #options: RollingBlobSinkOptions;
  readonly #policy: RollPolicy;
  /** Those of the partition in hand, and of all that there were. */
  #series: readonly OpenSeries[] = [];
  readonly #seriesOf = new Map<Partition | undefined, readonly OpenSeries[]>();
  #partition: Partition | undefined;
  readonly #selector = new RowSelector();
  readonly #stager: BlockStager;
  readonly #chunkPool: ChunkPool | undefined;
  #work: Promise<void> = Promise.resolve();
  #rowsSeen = 0;
  #filesOpened: number;
  #part = 0;
  #files: readonly StagedFile[] | undefined;

  constructor(options: RollingBlobSinkOptions) {
    super({ objectMode: true, highWaterMark: 2 });
    if (options.series.length === 0) throw new TypeError('a sink needs a series');
    this.#options = options;
    this.#policy = rollPolicy(options);
    this.#filesOpened = options.firstFileIndex ?? 0;
    if (!options.partitioned) this.#series = this.#begin(undefined, options.start);
    const { length: seriesCount } = options.series;
    this.#stager = new BlockStager({
      store: options.store,
      blockBytes: this.#policy.blockBytes,
      blocksInFlight: options.blocksInFlight,
      buffersBeingFilled: seriesCount,
      encryptionScope: options.encryptionScope,
      onFailure: failure => void this.destroy(failure),
    });
    if (options.compression === 'none') return;
    const { chunkBytes, allocate } = COMPRESSIONS[options.compression];
    this.#chunkPool = new ChunkPool({ chunkBytes, allocate, chunksBeingFilled: seriesCount });
  }

  /**
   * What was staged, in the order of series and part; known once the sink has finished.
   */
  get files(): readonly StagedFile[] {
    if (!this.#files) throw new TypeError('the files are known once the sink has finished');
    return this.#files;
  }

  /** Blocks and bytes that the store has acknowledged. */
  get blocksStaged(): number {
    return this.#stager.blocksStaged;
  }

  get bytesStaged(): number {
    return this.#stager.bytesStaged;
  }

  /**
   * Number of the part that is being written; of the furthest series where there are
   * several.
   */
  get part(): number {
    return this.#part;
  }

  override _write(batch: RowBatch, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    this.#run(this.#takeBatch(batch), callback);
  }

  override _final(callback: (error?: Error) => void): void {
    this.#run(this.#finish(), callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#stager.stop(error ?? new SluiceError('CANCELLED', 'writing files: cancelled'));
    const idle = [this.#work, this.#stager.idle(), this.#chunkPool?.idle()];
    void Promise.allSettled(idle).then(() => {
      for (const { part } of this.#all) part?.discard();
      callback(error);
    });
  }

  #run(work: Promise<void>, callback: (error?: Error) => void): void {
    this.#work = work;
    work.then(() => callback(), callback);
  }

  /** The series of a partition, begun or gone on with. */
  async #take(partition: Partition | undefined): Promise<readonly OpenSeries[]> {
    const known = this.#seriesOf.get(partition);
    return known ?? this.#begin(partition, partition && (await this.#options.startOf?.(partition)));
  }

  #begin(
    partition: Partition | undefined,
    { resume, firstPart }: SeriesStart = { resume: undefined, firstPart: 1 },
  ): readonly OpenSeries[] {
    const begun = this.#options.series.map(({ change, wants }) => ({
      partition,
      change,
      wanted: changeBits(wants),
      resume,
      part: undefined,
      parts: firstPart - 1,
      isBegun: false,
      files: [],
    }));
    this.#seriesOf.set(partition, begun);
    return begun;
  }

  get #all(): readonly OpenSeries[] {
    return [...this.#seriesOf.values()].flat();
  }

  /** Files of one partition are open at a time, whose buffers are all that there are. */
  async #goOnWith(partition: Partition | undefined): Promise<void> {
    for (const series of this.#series) await this.#closePart(series);
    this.#partition = partition;
    this.#series = await this.#take(partition);
  }

  async #takeBatch(batch: RowBatch): Promise<void> {
    if (batch.partition !== this.#partition) await this.#goOnWith(batch.partition);
    for (const series of this.#series) await this.#writeSelected(series, batch);
    this.#rowsSeen += batch.rowCount;
    batch.release?.();
  }

  async #writeSelected(series: OpenSeries, batch: RowBatch): Promise<void> {
    const { changes } = batch;
    if (!changes && this.#series.length > 1) {
      throw new TypeError('rows without changes cannot be told apart into several series');
    }
    const { rows, count } = changes
      ? this.#selector.pick(changes, batch.rowCount, series.wanted)
      : this.#selector.all(batch);
    let index = 0;
    while (index < count) {
      series.part ??= await this.#openPart(series);
      const next = await series.part.write(batch, rows, index, count, this.#rowsSeen);
      this.rowsWritten += next - index;
      index = next;
      if (index < count) await this.#closePart(series);
    }
  }

  async #finish(): Promise<void> {
    for (const series of this.#series) await this.#closePart(series);
    for (const series of this.#all) {
      const { resume } = series;
      const writesAnyhow = resume ? resume.mustWrite : this.#options.emptyFiles === 'write';
      if (!series.isBegun && writesAnyhow) series.part = await this.#openPart(series);
      await this.#closePart(series);
    }
    await this.#stager.drain();
    this.#files = this.#all.flatMap(({ files }) => files);
  }

  async #openPart(series: OpenSeries): Promise<PartWriter> {
    const { change, partition } = series;
    const resumed = series.isBegun ? undefined : series.resume;
    const part = resumed?.part ?? (await this.#options.nextPart?.()) ?? series.parts + 1;
    series.parts = part;
    series.isBegun = true;
    this.#part = Math.max(this.#part, part);
    const encoder = this.#options.createEncoder(change);
    const { runId, attempt = 0 } = this.#options;
    const blockId = blockIds({ runId, fileIndex: this.#filesOpened++, attempt });
    const blob = new StagedBlob({
      name: this.#options.nameOf(change, part, partition),
      stager: this.#stager,
      blockId,
      checksums: this.#options.checksums ?? DEFAULT_CHECKSUMS,
      resumed,
    });
    const body = await this.#openBody(blob, encoder);
    return PartWriter.open({ blob, body, encoder, policy: this.#policy, part, change, partition });
  }

  #openBody(blob: StagedBlob, encoder: Encoder): Promise<PartBody> {
    if (isBuffering(encoder)) return BufferedBody.open(blob, this.#policy, encoder);
    const { compression, level, engine = 'fast' } = this.#options;
    const pool = this.#chunkPool;
    if (compression === 'none' || pool === undefined) return PlainBody.open(blob, this.#policy, encoder);
    const open = COMPRESSIONS[compression].open(level, engine);
    return CompressedBody.open(blob, this.#policy, encoder, { pool, compression: open });
  }

  async #closePart(series: OpenSeries): Promise<void> {
    if (!series.part) return;
    if (series.part.isUntouched) {
      series.part.abandon();
      series.part = undefined;
      return;
    }
    series.files.push(await series.part.close());
    for (const [{ name }, count] of series.part.coerced) {
      this.coerced.set(name, (this.coerced.get(name) ?? 0) + count);
    }
    series.part = undefined;
  }
}
