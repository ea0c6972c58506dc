import type { SluiceError } from '../errors.ts';
import type { Change, Partition } from '../row-batch.ts';

/** Checksums that a file can have, in the order in which they are shown. */
export const CHECKSUMS = ['crc64', 'sha256', 'md5'] as const;
export type ChecksumName = (typeof CHECKSUMS)[number];
/** Those that a file has unless others are asked for. */
export const DEFAULT_CHECKSUMS: readonly ChecksumName[] = ['crc64', 'sha256'];

/** Hexadecimal. CRC64 is CRC-64/NVME, as Azure has it, its highest digit first. */
export type Checksums = { readonly [Name in ChecksumName]?: string };

/**
 * What the pipeline needs of a store of blobs. Azure's rules are the contract: staged
 * blocks change nothing that a reader can see, a commit switches one blob atomically,
 * staged blocks that a commit does not list are gone.
 *
 * Every method retries what can be retried within the store's own budget of time, rejects
 * with a `SluiceError` that holds no secret, and stops when the store's signal aborts.
 * `commitBlocks`, `putBlob` and `deleteBlob` are the exception to retrying: where the
 * answer to one of them was lost it may have happened, so they report `unknown` and the
 * caller looks before it repeats (commit-protocol).
 */
export interface BlobStore {
  /**
   * Idempotent. `bytes` must not change until the promise settles. Never called with no
   * bytes.
   */
  stageBlock(blob: string, blockId: string, bytes: Uint8Array, options?: StageOptions): Promise<void>;
  commitBlocks(blob: string, blockIds: readonly string[], options: CommitOptions): Promise<WriteOutcome>;
  putBlob(blob: string, bytes: Uint8Array, options: CommitOptions): Promise<WriteOutcome>;
  /** `undefined` where there is no such blob. */
  head(blob: string): Promise<BlobProperties | undefined>;
  getBlob(blob: string): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined>;
  /** Deletes only what still has this ETag. */
  deleteBlob(blob: string, ifMatch: string): Promise<'deleted' | 'absent' | 'changed' | 'unknown'>;
}

/** A store that can say what a blob is made of, so that a later run can continue it. */
export interface BlockLists {
  /**
   * The committed blocks of a blob, in order; `undefined` where there is no such blob.
   */
  getBlocks(blob: string): Promise<BlobBlocks | undefined>;
}

/**
 * Blocks that another tool has left behind on a name: dropped as the first of ours is
 * staged, or not to be dropped.
 */
export type ForeignBlocks = 'none' | 'to drop' | SluiceError;

/** Reading back what lies in the store, which a run does not need. */
export interface BlobReader {
  /**
   * The bytes of the blob that `head` described, in pieces of a few MiB; at most two are
   * in memory. Each piece is retried by itself. Rejects with DESTINATION_CONFLICT or
   * DESTINATION_NOT_FOUND where the blob is no longer that one.
   */
  readBlob(blob: string, described: Pick<BlobProperties, 'etag' | 'bytes'>): AsyncIterable<Buffer>;
}

/** All that Sluice asks of a place for files; each kind of destination makes one. */
export interface Destination extends BlobStore, BlockLists, BlobReader {
  /**
   * For how long requests that begin from now on are tried again; `undefined` for the
   * usual time.
   */
  patienceMs: number | undefined;
  /** Makes sure, without writing, that files can be written. */
  checkAccess(): Promise<void>;
  /** Whether another tool has left behind what is in the way of a block. */
  findForeignBlocks(blob: string): Promise<ForeignBlocks>;
  /**
   * Names of all blobs that begin so, in order. Needs the right to list, which runs do
   * not.
   */
  listBlobs(prefix: string): Promise<string[]>;
  /**
   * What the credentials say of themselves, without a request: which rights they lack for
   * that use, beyond those that every run needs, and when they expire. Empty where they
   * say nothing.
   */
  reviewCredentials(use: CredentialUse): readonly CredentialFinding[];
  /** Whether it refused to compare blocks by CRC64; they went with MD5 instead. */
  readonly refusesCrc64: boolean;
  /**
   * What the clock of the service says at an instant of ours, as far as an answer said
   * it: by it credentials expire.
   */
  serviceTime(here: Date): Date;
}

export interface CredentialUse {
  readonly setsTags: boolean;
  /** Completion files of the run before are to go before files are published. */
  readonly deletesCompletion: boolean;
  /** From this long before they expire that is a warning, in milliseconds. */
  readonly warnsBeforeExpiryMs: number;
  /** By the clock of the service. */
  readonly now: Date;
}

export type CredentialFinding =
  | { readonly outcome: 'passed' | 'warned'; readonly message: string }
  /** The use will fail. */
  | { readonly outcome: 'failed'; readonly error: SluiceError };

/** A failed request is to be made again. */
export interface Waiting {
  /** As in `the storage account does not answer (ECONNREFUSED)`. */
  readonly reason: string;
  /** For how long it is tried again, in milliseconds. */
  readonly leftMs: number;
}

export interface StageOptions {
  /** Stops this block, besides the store's own signal. */
  readonly signal?: AbortSignal;
  /**
   * Called, perhaps often, while the store is told to send less; the caller lowers its
   * concurrency.
   */
  readonly onThrottled?: () => void;
  /**
   * The caller can send the bytes in smaller blocks: where the line is too slow for this
   * one, it is not sent again, and the promise rejects with `BlockTooSlow`.
   */
  readonly canBeSplit?: boolean;
  /**
   * Instead of the store's own: the bytes were too slow in a larger block. One attempt is
   * always made.
   */
  readonly patienceMs?: number | undefined;
  /** Must be the one that the commit names. */
  readonly encryptionScope?: string;
  /** CRC64 of the bytes as they were made, for the store to compare with what it got. */
  readonly crc64?: bigint;
}

/**
 * A write happens only if the blob is absent, or still has the ETag. There is no
 * unconditional write.
 */
export type Precondition = { readonly ifAbsent: true } | { readonly ifMatch: string };

export interface CommitOptions {
  readonly condition: Precondition;
  readonly properties: BlobWriteProperties;
}

/**
 * Properties, metadata and tags that a write does not send are cleared, so each write
 * sends all of them.
 */
export interface BlobWriteProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly cacheControl?: string;
  /** Base64; kept as a property for readers, not checked by the store. */
  readonly contentMd5?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly accessTier?: string;
  readonly encryptionScope?: string;
}

export type WriteOutcome =
  | { readonly outcome: 'written'; readonly etag: string }
  /** The precondition did not hold, or staged blocks are missing. */
  | { readonly outcome: 'refused'; readonly reason: 'condition' | 'blocks missing'; readonly message: string }
  /** No answer, or one that does not tell: look with `head`. */
  | { readonly outcome: 'unknown'; readonly message: string };

export interface BlobProperties {
  readonly etag: string;
  readonly bytes: number;
  readonly contentType?: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the access tier Archive, where nothing of it can be read or changed. */
  readonly isArchived?: true;
  /**
   * What the name belongs to, where it is nothing that a commit of blocks can replace.
   */
  readonly obstacle?: 'append blob' | 'page blob' | 'directory';
}

export interface BlobBlocks extends BlobProperties {
  /** Empty for a blob that was not made of blocks. */
  readonly blocks: readonly { readonly id: string; readonly bytes: number }[];
}

/** Where a file that is there already can be continued. */
export interface ResumePoint {
  readonly name: string;
  readonly part: number;
  /** Blocks to keep: all but the one that holds the document's end. */
  readonly blockIds: readonly string[];
  readonly bytes: number;
  readonly rows: number;
  /** The commit replaces this version and no other. */
  readonly etag: string;
  /**
   * Whether the last block of the file holds the document's end, before the run and after
   * it.
   */
  readonly hasEnd: boolean;
  /**
   * Whether the file is committed even where no row is added, for what is left out of it.
   */
  readonly mustWrite: boolean;
}

/** One file of a run whose blocks are all staged, and which no reader can see yet. */
export interface StagedFile {
  /** Name of the blob in its container. */
  readonly name: string;
  /**
   * The change whose rows it holds; absent where the file holds every row that is
   * written.
   */
  readonly change?: Change;
  readonly partition?: Partition;
  /** Counted from 1. */
  readonly part: number;
  readonly blockIds: readonly string[];
  readonly rows: number;
  /** As stored, after compression. */
  readonly bytes: number;
  /** Those of the bytes that the run staged. */
  readonly checksums: Checksums;
  /**
   * Present where the file was there already and was continued. `rows` and `bytes` count
   * the whole file.
   */
  readonly resumed?: ResumePoint;
}
