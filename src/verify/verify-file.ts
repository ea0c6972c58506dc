import { contentTypeOf } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import type { FileContents } from '../encoders/reading/file-reader.ts';
import { SluiceError } from '../errors.ts';
import type { RunFile } from '../history/run-record.ts';
import { CONTENT_TYPES } from '../registry.ts';
import { crc64 } from '../sinks/checksums/crc64-module.ts';
import { RunningChecksums } from '../sinks/checksums/running-checksums.js';
import {
  type BlobProperties,
  type BlobReader,
  type BlobStore,
  CHECKSUMS,
  type ChecksumName,
  type Checksums,
} from '../sinks/sink.ts';
import { decompressed } from './decompressed.ts';
import type { Finding, FindingCode } from './finding.ts';
import { readerOf } from './reader-of.ts';

export interface FileVerification {
  readonly name: string;
  /** As the manifest says. */
  readonly rows: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
}

export interface VerifyFileOptions {
  readonly file: RunFile;
  readonly run: string;
  readonly columns: readonly string[] | undefined;
  /** As the file was written, where that is known, else as it would be written now. */
  readonly format: ResolvedActivation['format'];
  readonly activation: ResolvedActivation;
  readonly store: BlobStore & BlobReader;
}

/**
 * Reads one file once, from the store to its parser's end, with its checksums taken on
 * the way.
 */
export async function verifyFile(options: VerifyFileOptions): Promise<FileVerification> {
  const { file, store } = options;
  const { name, rows, bytes } = file;
  const findings = new Findings();
  const there = await store.head(name);
  if (there === undefined) {
    findings.add('FILE_MISSING', 'it is not there');
  } else if (isLaterRun(there, options)) {
    const { run, sluice } = there.metadata;
    const did = options.activation.ifExists === 'append' ? 'went on with this file' : 'wrote this name';
    findings.add('OVERWRITTEN', `the later run ${run} of ${sluice} ${did}`);
  } else {
    if (file.etag !== undefined && there.etag !== file.etag)
      findings.add('CHANGED', whoChanged(there, options));
    if (there.bytes !== bytes) findings.add('BYTES', `it has ${there.bytes} bytes, not ${bytes}`);
    verifyContentType(there, options, findings);
    await verifyContents(there, options, findings);
  }
  return { name, rows, bytes, findings: findings.all };
}

class Findings {
  readonly all: Finding[] = [];

  add(code: FindingCode, message: string): void {
    this.all.push({ code, message });
  }
}

function isLaterRun({ etag, metadata }: BlobProperties, { file, run }: VerifyFileOptions): boolean {
  const writer = metadata['run'];
  // Ids sort by time.
  return etag !== file.etag && metadata['sluice'] !== undefined && writer !== undefined && writer > run;
}

function whoChanged({ metadata }: BlobProperties, { run }: VerifyFileOptions): string {
  const writer = metadata['run'];
  if (metadata['sluice'] === undefined)
    return 'another writer, which is not Sluice, replaced it after the run';
  if (writer === run) return 'its properties or contents were changed after the run';
  return `it is now that of the earlier run ${writer}`;
}

/** What a file of ours may be called by default. */
const KINDS: readonly (string | undefined)[] = Object.values(CONTENT_TYPES);

/**
 * Another type was configured, perhaps otherwise than now, or has come with contents that
 * are not ours.
 */
function verifyContentType(
  { contentType }: BlobProperties,
  { format, activation }: VerifyFileOptions,
  findings: Findings,
): void {
  const expected = contentTypeOf(format);
  if (contentType === expected || contentType === activation.blob.contentType) return;
  if (KINDS.includes(contentType))
    findings.add('CONTENT_TYPE', `its content type is ${contentType}, not ${expected}`);
}

const CHECKSUM_NAMES: { readonly [Name in ChecksumName]: readonly [code: FindingCode, word: string] } = {
  crc64: ['CRC64', 'CRC64'],
  sha256: ['SHA256', 'SHA-256'],
  md5: ['MD5', 'MD5'],
};

async function verifyContents(
  there: BlobProperties,
  { file, columns, format, store }: VerifyFileOptions,
  findings: Findings,
): Promise<void> {
  const stored = new SummedBytes(store.readBlob(file.name, there), {
    from: file.appended?.fromByte ?? 0,
    names: CHECKSUMS.filter(name => file[name] !== undefined),
  });
  const reader = await readerOf(file.name, format);
  let contents: FileContents | undefined;
  try {
    if (reader === undefined) {
      findings.add('UNREADABLE', 'there is no reader for files of this name');
    } else {
      const bytes = decompressed(stored, reader.compression);
      contents = await reader.read(bytes, { format: reader.format, columns });
    }
  } catch (error) {
    // What the disk or the store said is no finding about the file.
    if (error instanceof SluiceError && error !== stored.failure) throw error;
    if (stored.failure === undefined) findings.add('UNREADABLE', `it does not parse: ${shortened(error)}`);
  }
  try {
    await stored.finish();
  } catch (error) {
    if (!isReplaced(error)) throw error;
    findings.add('CHANGED', 'it was replaced or deleted while it was read');
    return;
  }
  for (const name of CHECKSUMS) {
    if (stored.checksums[name] === file[name]) continue;
    const [code, word] = CHECKSUM_NAMES[name];
    findings.add(code, `it has the ${word} ${stored.checksums[name]}, not ${file[name]}`);
  }
  if (contents === undefined) return;
  if (contents.rows !== file.rows) findings.add('ROWS', `it has ${contents.rows} rows, not ${file.rows}`);
  if (contents.columnProblem !== undefined) findings.add('COLUMNS', contents.columnProblem);
}

function isReplaced(error: unknown): boolean {
  return (
    error instanceof SluiceError &&
    (error.code === 'DESTINATION_CONFLICT' || error.code === 'DESTINATION_NOT_FOUND')
  );
}

/**
 * The bytes for a reader, and their checksums. A reader that gives up does not end them:
 * the rest is taken by `finish`, so that the checksums are always those of the whole.
 */
class SummedBytes implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterator<Buffer>;
  readonly #sums: RunningChecksums;
  failure: unknown;
  checksums: Checksums = {};

  /** What comes before `from` is not the run's own, and not in its checksums. */
  constructor(
    source: AsyncIterable<Buffer>,
    { from, names }: { readonly from: number; readonly names: readonly ChecksumName[] },
  ) {
    this.#sums = new RunningChecksums(names, crc64());
    this.#source = summed(source, from, this.#sums)[Symbol.asyncIterator]();
  }

  // No `return`: leaving the loop must not end the source.
  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return { next: () => this.#next() };
  }

  async finish(): Promise<void> {
    while (!(await this.#next()).done);
    if (this.failure !== undefined) throw this.failure;
    this.checksums = this.#sums.finish();
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#source.next();
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }
}

async function* summed(
  source: AsyncIterable<Buffer>,
  from: number,
  sums: RunningChecksums,
): AsyncGenerator<Buffer, void, undefined> {
  let skip = from;
  for await (const chunk of source) {
    sums.update(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
    yield chunk;
  }
}

const MAX_REASON_LENGTH = 200;

/** A parser may quote the file, line breaks and all. */
function shortened(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
  return text.length > MAX_REASON_LENGTH ? `${text.slice(0, MAX_REASON_LENGTH)}…` : text;
}
