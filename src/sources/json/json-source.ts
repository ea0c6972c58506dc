import { Readable } from 'node:stream';
import { SluiceError } from '../../errors.ts';
import type { Column, ColumnKind, RowBatch } from '../../row-batch.ts';
import type { EndOfData, RowSource, SourceDescription } from '../source.ts';
import { ColumnInference, toColumn } from './column-inference.ts';
import { findFiles } from './glob.ts';
import { assertUnchanged, type FileState, InputFile, stateOf } from './input-file.ts';
import { atPlace, RowFault, toSourceError } from './json-errors.ts';
import { findFault } from './json-fault.ts';
import { ArrayFramer, faultIn, LineFramer, type RowFramer, type RowText } from './row-framer.ts';
import { type RowListener, RowParser } from './row-parser.ts';
import { RowWriter } from './row-writer.ts';

export interface JsonSourceOptions {
  /** Name of the source, for messages. */
  readonly name: string;
  /** Absolute path or glob. */
  readonly path: string;
  /** `auto` goes by the name of each file. */
  readonly layout: 'auto' | 'array' | 'lines';
  /** Without them columns are found in the first rows. */
  readonly columns?: readonly { readonly name: string; readonly type: ColumnKind }[];
  readonly inferRows: number;
  readonly unknownKeys: 'fail' | 'ignore';
  /** Rows whose text is longer are refused. */
  readonly maxRowBytes?: number;
  /** A batch is sent on with so many bytes. */
  readonly batchBytes?: number;
}

const MAX_ROW_BYTES = 128 * 1024 * 1024;
const BATCH_BYTES = 256 * 1024;
/** Another number where the same file gives other texts than before. */
const DIALECT = 'json, texts 1';

/** Hears rows and their ends. */
interface RowTaker extends RowListener {
  endRow(): void;
}

/** The rows of JSON files, one file after the other in the order of their names. */
export class JsonSource implements RowSource {
  readonly #options: JsonSourceOptions;
  readonly #abort = new AbortController();
  readonly #open = new Set<InputFile>();
  #files: readonly FileState[] | undefined;
  #columns: readonly Column[] = [];
  #stream: Readable | undefined;
  #filesRead = 0;
  #rowsFramed = 0;
  #rowsSent = 0;
  #closing: Promise<void> | undefined;

  constructor(options: JsonSourceOptions) {
    this.#options = options;
  }

  async describe(): Promise<SourceDescription> {
    const snapshotTime = new Date();
    this.#files = await this.#attempt('finding the files', () => this.#findFiles());
    const { columns } = this.#options;
    this.#columns = columns
      ? columns.map(({ name, type }) => toColumn(name, type))
      : await this.#attempt('finding the columns', () => this.#inferColumns());
    return { columns: this.#columns, dialect: DIALECT, snapshotTime };
  }

  read(columns: readonly Column[]): Readable {
    if (this.#files === undefined) throw new TypeError('read() before describe()');
    this.#stream = Readable.from(this.#batches(columns), { objectMode: true, highWaterMark: 1 });
    return this.#stream;
  }

  /**
   * Every file was read to its end, and all of them are as they were when the first was
   * opened.
   */
  async finish(): Promise<EndOfData> {
    const files = this.#files;
    if (files === undefined || this.#stream?.readableEnded !== true)
      throw new TypeError('finish() before the rows have ended');
    if (this.#filesRead !== files.length || this.#rowsSent !== this.#rowsFramed) {
      const message = `source ${this.#options.name}: ${this.#filesRead} of ${files.length} files and ${this.#rowsSent} of ${this.#rowsFramed} rows were sent`;
      throw new SluiceError('SOURCE_INCOMPLETE', message, { stage: 'source' });
    }
    await this.#attempt('looking at the files again', async () => {
      for (const file of files) assertUnchanged(file, await stateOf(file.path));
    });
    return { rows: this.#rowsSent };
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    this.#abort.abort();
    this.#stream?.destroy();
    await Promise.allSettled([...this.#open].map(file => file.close()));
  }

  async #findFiles(): Promise<FileState[]> {
    const { path, name } = this.#options;
    const paths = await findFiles(path);
    if (paths.length === 0) {
      // No file is not the same as no row: a delta would call every row removed.
      throw new SluiceError('SOURCE_CONNECT_FAILED', `source ${name}: there is no file ${path}`, {
        stage: 'source',
        hint: 'check path of the source, and whether the files are there yet',
      });
    }
    const files: FileState[] = [];
    for (const file of paths) {
      this.#layoutOf(file);
      files.push(await stateOf(file));
    }
    return files;
  }

  async #inferColumns(): Promise<Column[]> {
    const { inferRows, name } = this.#options;
    const inference = new ColumnInference();
    const parser = new RowParser(inference);
    let rows = 0;
    reading: for (const file of this.#files!) {
      for await (const texts of this.#rowTexts(file)) {
        for (const text of texts) {
          parseRow(parser, inference, text, file.path);
          if (++rows === inferRows) break reading;
        }
      }
    }
    const columns = inference.columns();
    if (columns.length > 0) return columns;
    const seen = rows === 0 ? 'no rows' : 'no keys in its rows';
    throw new SluiceError('SOURCE_EMPTY', `source ${name} has ${seen}, so its columns cannot be found out`, {
      stage: 'source',
      hint: 'declare `columns` of the source: then no rows are an empty result',
    });
  }

  async *#batches(columns: readonly Column[]): AsyncGenerator<RowBatch, void, undefined> {
    const { columns: declared, unknownKeys, batchBytes = BATCH_BYTES } = this.#options;
    const writer = new RowWriter({
      known: this.#columns,
      sent: columns,
      declared: declared !== undefined,
      unknownKeys,
      batchBytes,
    });
    const parser = new RowParser(writer);
    try {
      for (const file of this.#files!) {
        for await (const texts of this.#rowTexts(file, rows => this.#onFileEnd(rows))) {
          for (const text of texts) {
            parseRow(parser, writer, text, file.path);
            if (writer.isFull) yield this.#counted(writer.take()!);
          }
        }
      }
      const rest = writer.take();
      if (rest !== undefined) yield this.#counted(rest);
    } catch (cause) {
      // A failure of another stage comes in through the stream, and is not ours to name.
      if (this.#stream?.destroyed) throw cause;
      throw await this.#diagnose(cause, 'reading');
    }
  }

  #counted(batch: RowBatch): RowBatch {
    this.#rowsSent += batch.rowCount;
    return batch;
  }

  #onFileEnd(rows: number): void {
    this.#filesRead++;
    this.#rowsFramed += rows;
  }

  /** The texts of a file's rows, for each piece of the file those that end in it. */
  async *#rowTexts(
    state: FileState,
    onEnd?: (rows: number) => void,
  ): AsyncGenerator<Iterable<RowText>, void, undefined> {
    this.#throwIfClosed();
    const file = await InputFile.open(state);
    this.#open.add(file);
    try {
      const framer = this.#framerOf(state.path);
      for await (const chunk of file.chunks()) {
        this.#throwIfClosed();
        yield framer.push(chunk);
      }
      yield framer.end();
      onEnd?.(framer.rowCount);
    } finally {
      await file.close();
      this.#open.delete(file);
    }
  }

  #framerOf(path: string): RowFramer {
    const { maxRowBytes = MAX_ROW_BYTES } = this.#options;
    const options = { file: path, maxRowBytes };
    return this.#layoutOf(path) === 'lines' ? new LineFramer(options) : new ArrayFramer(options);
  }

  #layoutOf(path: string): 'array' | 'lines' {
    const { layout, name } = this.#options;
    if (layout !== 'auto') return layout;
    const extension = /\.(json|ndjson|jsonl)(?:\.gz)?$/i.exec(path)?.[1]?.toLowerCase();
    if (extension !== undefined) return extension === 'json' ? 'array' : 'lines';
    throw new SluiceError('CONFIG_INVALID', `source ${name}: the name of ${path} does not say what it is`, {
      stage: 'source',
      hint: 'name files .json, .ndjson or .jsonl, with .gz behind it if gzipped, or set `layout: array` or `lines`',
    });
  }

  #throwIfClosed(): void {
    if (this.#abort.signal.aborted)
      throw new SluiceError('CANCELLED', `source ${this.#options.name} was closed`, { stage: 'source' });
  }

  async #attempt<T>(doing: string, act: () => Promise<T>): Promise<T> {
    try {
      this.#throwIfClosed();
      const result = await act();
      this.#throwIfClosed();
      return result;
    } catch (cause) {
      throw await this.#diagnose(cause, doing);
    }
  }

  /** What looks like a damaged file may be one that somebody is writing. */
  async #diagnose(cause: unknown, doing: string): Promise<SluiceError> {
    const error = this.#toError(cause, doing);
    if (error.code === 'CANCELLED') return error;
    try {
      for (const file of this.#files ?? []) assertUnchanged(file, await stateOf(file.path));
      return error;
    } catch (changed) {
      return changed instanceof SluiceError && changed.code === 'SOURCE_INCOMPLETE' ? changed : error;
    }
  }

  #toError(cause: unknown, doing: string): SluiceError {
    const { name, path } = this.#options;
    if (this.#abort.signal.aborted && !(cause instanceof SluiceError))
      return new SluiceError('CANCELLED', `source ${name} was closed`, { cause, stage: 'source' });
    if (cause instanceof RangeError)
      return new SluiceError('CONFIG_INVALID', `source ${name}: path ${path}: ${cause.message}`, {
        stage: 'source',
      });
    return toSourceError(cause, `source ${name}, ${doing}`);
  }
}

function parseRow(parser: RowParser, taker: RowTaker, text: RowText, file: string): void {
  let isObject: boolean;
  try {
    isObject = parser.parse(text.bytes);
  } catch (fault) {
    if (!(fault instanceof RowFault)) throw fault;
    // What is wrong with the row as JSON comes first: what its values seemed to be may
    // follow from it.
    const isJson = findFault(text.bytes.toString()) === undefined;
    throw isJson ? atPlace(fault, { file, row: text.row, line: text.line }) : faultIn(text, file);
  }
  if (!isObject) throw faultIn(text, file);
  taker.endRow();
}
