import { randomBytes } from 'node:crypto';
import type { BlobGetPropertiesResponse, BlockBlobClient } from '@azure/storage-blob';
import { SluiceError } from '../../errors.ts';
import { BlockTooSlow } from '../block-too-slow.ts';
import { refuseUnsafeName } from '../safe-name.ts';
import type {
  BlobBlocks,
  BlobProperties,
  BlobWriteProperties,
  CommitOptions,
  CredentialFinding,
  CredentialUse,
  Destination,
  ForeignBlocks,
  StageOptions,
  Waiting,
  WriteOutcome,
} from '../sink.ts';
import { type AttemptLimits, attemptTimeoutMs, isTooSlow } from './attempt-limits.ts';
import type { AzureAddress } from './azure-auth.ts';
import { type AzureConnection, connectContainer } from './azure-connection.ts';
import { describeFailure, toDestinationError } from './azure-errors.ts';
import type { AzureFailure, FailureContext } from './azure-failure.ts';
import { BlockChecks, isRefusalOfCrc64 } from './block-checks.ts';
import { dropForeignBlocks, type ForeignBlocksStore, findForeignBlocks } from './foreign-blocks.ts';
import { explainOwnBlob } from './own-blobs.ts';
import { type Attempt, AttemptTimeout, type RetryClock, systemClock, withRetries } from './retry.ts';
import { reviewSas } from './review-sas.ts';
import { checkSas } from './sas.ts';
import { bodyOf, received } from './transfer.ts';
import { writeOptions } from './write-options.ts';

const DEFAULT_RETRY_BUDGET_MS = 300_000;
const READ_BYTES = 4 * 1024 * 1024;

export interface Throttling {
  readonly doing: string;
  readonly status: number | undefined;
  /** Time until the request is repeated. */
  readonly delayMs: number;
}

export interface AzureBlobStoreOptions extends AzureAddress, AttemptLimits {
  /**
   * No attempt of one request begins when it has waited and stood still for this long.
   * Default 5 min.
   */
  readonly retryBudgetMs?: number | undefined;
  /** Told each time that the service is asked again after it failed. */
  readonly onRetry?: ((waiting: Waiting) => void) | undefined;
  /** Told when such a request has been answered for good; not where it is given up. */
  readonly onRetried?: (() => void) | undefined;
  /** Told each time the service asks for less. */
  readonly onThrottled?: ((throttling: Throttling) => void) | undefined;
  /** Stops everything. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: RetryClock | undefined;
}

interface Request<T> {
  /** As in "staging a block of exports/a.csv". */
  readonly doing: string;
  /** Letter of the permission that it needs. */
  readonly permission: string;
  /** What it gives the blob. */
  readonly properties?: BlobWriteProperties | undefined;
  readonly attempt: Attempt<T>;
  readonly bodyBytes?: number;
  readonly options?: StageOptions | undefined;
  /**
   * Which failures may be repeated; those that the service calls temporary unless told.
   */
  readonly mayRepeat?: (failure: AzureFailure) => boolean;
}

/** A container of Azure Blob Storage. */
export class AzureBlobStore implements Destination, ForeignBlocksStore {
  readonly #options: AzureBlobStoreOptions;
  readonly #connection: AzureConnection;
  #patienceMs: number;
  /**
   * Whether the service ever answered: until then an unknown host is a mistake, later a
   * failure of the network.
   */
  #reached = false;
  /** By how much the clock of the service was ahead of ours when it answered. */
  #aheadMs = 0;
  readonly #blockChecks = new BlockChecks();
  /** By blob. */
  readonly #foreignBlocksDropped = new Map<string, Promise<void>>();

  /**
   * Makes no request. Fails with CONFIG_INVALID or DESTINATION_CREDENTIALS where that
   * shows already.
   */
  constructor(options: AzureBlobStoreOptions) {
    this.#options = options;
    this.#patienceMs = options.retryBudgetMs ?? DEFAULT_RETRY_BUDGET_MS;
    this.#connection = connectContainer(options);
  }

  /** As `retryBudgetMs`, for the requests that begin from now on. */
  set patienceMs(patienceMs: number | undefined) {
    this.#patienceMs = patienceMs ?? this.#options.retryBudgetMs ?? DEFAULT_RETRY_BUDGET_MS;
  }

  reviewCredentials(use: CredentialUse): CredentialFinding[] {
    const { sas } = this.#connection;
    return sas === undefined ? [] : reviewSas(sas, use);
  }

  get refusesCrc64(): boolean {
    return this.#blockChecks.refusesCrc64;
  }

  serviceTime(here: Date): Date {
    return new Date(here.getTime() + this.#aheadMs);
  }

  /**
   * Makes sure, without writing, that blobs can be read and written: looks at the SAS
   * token and asks for a blob that does not exist, whose answer tells whether the
   * container does.
   */
  async checkAccess(): Promise<void> {
    const { sas, url } = this.#connection;
    if (sas) checkSas(sas, url);
    const name = `${this.#options.folder ?? ''}_sluice/access-check-${randomBytes(8).toString('hex')}`;
    await this.#head(name, `checking container ${url}`);
  }

  async stageBlock(blob: string, blockId: string, bytes: Uint8Array, options?: StageOptions): Promise<void> {
    const client = this.#blob(blob);
    const check = this.#blockChecks.of(bytes, options?.crc64);
    const isRefused = (failure: AzureFailure): boolean =>
      check.transactionalContentCrc64 !== undefined && isRefusalOfCrc64(failure);
    const encryption = options?.encryptionScope && { encryptionScope: options.encryptionScope };
    const request: Request<unknown> = {
      doing: `staging a block of ${blob}`,
      permission: 'w',
      properties: encryption || undefined,
      bodyBytes: bytes.byteLength,
      options,
      attempt: (abortSignal, moving) => {
        const body = () => bodyOf(bytes, moving);
        return client.stageBlock(blockId, body, bytes.byteLength, { abortSignal, ...check, ...encryption });
      },
      mayRepeat: failure => !isRefused(failure),
    };
    try {
      await this.#repeated(request);
    } catch (error) {
      if (error instanceof BlockTooSlow) throw error;
      const failure = describeFailure(error);
      if (isRefused(failure)) {
        this.#blockChecks.refuse();
        return this.stageBlock(blob, blockId, bytes, options);
      }
      if (failure.code !== 'InvalidBlobOrBlock') throw this.#wrapped(error, request);
      // Once for a blob, before the first of ours is there.
      const dropped = this.#foreignBlocksDropped.get(blob) ?? dropForeignBlocks(this, blob);
      this.#foreignBlocksDropped.set(blob, dropped);
      await dropped;
      await this.#request(request);
    }
  }

  findForeignBlocks(blob: string): Promise<ForeignBlocks> {
    return findForeignBlocks(this, blob);
  }

  get mayDelete(): boolean {
    return this.#connection.sas?.permissions?.includes('d') ?? true;
  }

  async uncommittedBlocks(blob: string): Promise<readonly string[]> {
    const client = this.#blob(blob);
    const list = await this.#orAbsent({
      doing: `reading the block list of ${blob}`,
      permission: 'r',
      attempt: abortSignal => client.getBlockList('uncommitted', { abortSignal }),
    });
    return (list?.uncommittedBlocks ?? []).map(({ name }) => name);
  }

  commitBlocks(blob: string, blockIds: readonly string[], options: CommitOptions): Promise<WriteOutcome> {
    const client = this.#blob(blob);
    return this.#write(`committing ${blob}`, 0, options, abortSignal =>
      client.commitBlockList([...blockIds], { abortSignal, ...writeOptions(options) }),
    );
  }

  putBlob(blob: string, bytes: Uint8Array, options: CommitOptions): Promise<WriteOutcome> {
    const client = this.#blob(blob);
    return this.#write(`writing ${blob}`, bytes.byteLength, options, (abortSignal, moving) => {
      const body = () => bodyOf(bytes, moving);
      return client.upload(body, bytes.byteLength, { abortSignal, ...writeOptions(options) });
    });
  }

  head(blob: string): Promise<BlobProperties | undefined> {
    return this.#head(blob, `looking up ${blob}`);
  }

  async getBlob(blob: string): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
    const client = this.#blob(blob);
    return this.#orAbsent({
      doing: `reading ${blob}`,
      permission: 'r',
      attempt: async (abortSignal, moving) => {
        const answer = await client.download(0, undefined, { abortSignal, maxRetryRequests: 0 });
        return {
          bytes: await received(answer.readableStreamBody, abortSignal, moving),
          etag: answer.etag ?? '',
        };
      },
    });
  }

  async listBlobs(prefix: string): Promise<string[]> {
    const request: Request<string[]> = {
      doing: `listing blobs below ${prefix}`,
      permission: 'l',
      attempt: async abortSignal => {
        const names: string[] = [];
        for await (const { name } of this.#connection.client.listBlobsFlat({ prefix, abortSignal }))
          names.push(name);
        return names;
      },
    };
    try {
      return await this.#repeated(request);
    } catch (error) {
      throw this.#wrapped(error, request);
    }
  }

  async getBlocks(blob: string): Promise<BlobBlocks | undefined> {
    const client = this.#blob(blob);
    const list = await this.#orAbsent({
      doing: `reading the block list of ${blob}`,
      permission: 'r',
      attempt: abortSignal => client.getBlockList('committed', { abortSignal }),
    });
    const there = list && (await this.head(blob));
    if (!there) return undefined;
    // The list and the properties have to be of one version.
    if (there.etag !== list.etag) return this.getBlocks(blob);
    return {
      ...there,
      blocks: (list.committedBlocks ?? []).map(({ name, size }) => ({ id: name, bytes: size })),
    };
  }

  async *readBlob(
    blob: string,
    { etag, bytes }: Pick<BlobProperties, 'etag' | 'bytes'>,
  ): AsyncGenerator<Buffer, void, undefined> {
    const fetch = (offset: number): Promise<Buffer> => {
      const piece = this.#readPiece(blob, etag, offset, Math.min(READ_BYTES, bytes - offset));
      // The reader may stop before it asks for this one.
      piece.catch(() => {});
      return piece;
    };
    let next = bytes > 0 ? fetch(0) : undefined;
    for (let offset = READ_BYTES; next !== undefined; offset += READ_BYTES) {
      const piece = await next;
      next = offset < bytes ? fetch(offset) : undefined;
      yield piece;
    }
  }

  #readPiece(blob: string, ifMatch: string, offset: number, count: number): Promise<Buffer> {
    const client = this.#blob(blob);
    return this.#request({
      doing: `reading ${blob}`,
      permission: 'r',
      attempt: async (abortSignal, moving) => {
        const conditions = { ifMatch };
        const answer = await client.download(offset, count, { abortSignal, conditions, maxRetryRequests: 0 });
        const piece = await received(answer.readableStreamBody, abortSignal, moving);
        if (piece.length === count) return piece;
        const message = `${piece.length} of ${count} bytes came`;
        throw Object.assign(new Error(message), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
      },
    });
  }

  async deleteBlob(blob: string, ifMatch: string): Promise<'deleted' | 'absent' | 'changed' | 'unknown'> {
    const client = this.#blob(blob);
    const context = { doing: `deleting ${blob}`, permission: 'd' };
    try {
      await this.#attemptOnce({
        ...context,
        attempt: abortSignal => client.delete({ abortSignal, conditions: { ifMatch } }),
      });
      return 'deleted';
    } catch (error) {
      const failure = describeFailure(error);
      if (isAbsence(failure)) return 'absent';
      // A blob that is not there has no ETag to match either.
      if (isConditionFailure(failure)) return (await this.#isSurelyAbsent(blob)) ? 'absent' : 'changed';
      if (isUnknown(failure)) return 'unknown';
      throw this.#wrapped(error, context);
    }
  }

  async #isSurelyAbsent(blob: string): Promise<boolean> {
    try {
      return (await this.head(blob)) === undefined;
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'CANCELLED') throw error;
      return false; // credentials that may delete but not read
    }
  }

  #blob(name: string): BlockBlobClient {
    // The SDK resolves such names as a path, out of the container.
    refuseUnsafeName(name);
    return this.#connection.client.getBlockBlobClient(name);
  }

  #head(blob: string, doing: string): Promise<BlobProperties | undefined> {
    const client = this.#blob(blob);
    return this.#orAbsent({
      doing,
      permission: 'r',
      attempt: async abortSignal => {
        const answer = await client.getProperties({ abortSignal });
        this.#noteClock(answer.date);
        this.#blockChecks.noteServer(answer._response.headers.get('server'));
        const { etag = '', contentLength = 0, contentType, metadata = {}, accessTier } = answer;
        const obstacle = obstacleOf(answer);
        return {
          etag,
          bytes: contentLength,
          metadata,
          ...(contentType !== undefined && { contentType }),
          ...(accessTier === 'Archive' && { isArchived: true }),
          ...(obstacle !== undefined && { obstacle }),
        };
      },
    });
  }

  async #orAbsent<T>(request: Request<T>): Promise<T | undefined> {
    try {
      return await this.#repeated(request);
    } catch (error) {
      if (isAbsence(describeFailure(error))) return undefined;
      throw this.#wrapped(error, request);
    }
  }

  async #write(
    doing: string,
    bodyBytes: number,
    { properties }: CommitOptions,
    attempt: Attempt<{ etag?: string }>,
  ): Promise<WriteOutcome> {
    const context = { doing, permission: 'w', properties };
    try {
      const { etag } = await this.#attemptOnce({ ...context, bodyBytes, attempt });
      if (etag) return { outcome: 'written', etag };
      return { outcome: 'unknown', message: `${doing}: the answer has no ETag` };
    } catch (error) {
      const failure = describeFailure(error);
      const { message } = this.#wrapped(error, context);
      if (failure.code === 'ConditionNotMet' || failure.code === 'BlobAlreadyExists') {
        return { outcome: 'refused', reason: 'condition', message };
      }
      if (failure.code === 'InvalidBlockList')
        return { outcome: 'refused', reason: 'blocks missing', message };
      if (isUnknown(failure)) return { outcome: 'unknown', message };
      throw this.#wrapped(error, context);
    }
  }

  async #request<T>(request: Request<T>): Promise<T> {
    try {
      return await this.#repeated(request);
    } catch (error) {
      if (error instanceof BlockTooSlow) throw error;
      throw this.#wrapped(error, request);
    }
  }

  /** Repeats only what the service has certainly not done. */
  #attemptOnce<T>(request: Request<T>): Promise<T> {
    return this.#repeated({ ...request, mayRepeat: failure => failure.neverDone });
  }

  /**
   * Rejects with what the SDK reported, with CANCELLED, or with BlockTooSlow where the
   * caller can split what it sends.
   */
  async #repeated<T>(request: Request<T>): Promise<T> {
    const { doing, bodyBytes = 0, options } = request;
    const { clock = systemClock } = this.#options;
    const { canBeSplit, patienceMs = this.#patienceMs } = options ?? {};
    const signals = [this.#options.signal, options?.signal].filter(signal => signal !== undefined);
    const began = clock.now();
    let isRetried = options?.patienceMs !== undefined;
    let isToBeSplit = false;
    try {
      const result = await withRetries(request.attempt, {
        budgetMs: patienceMs,
        attemptTimeoutMs: attemptTimeoutMs(bodyBytes, this.#options),
        signals,
        clock,
        judge: (error, tookMs) => {
          isToBeSplit = canBeSplit === true && isTooSlow(error, tookMs);
          const failure = this.#judge(error, request);
          return isToBeSplit ? { ...failure, retryable: false } : failure;
        },
        onRetry: retry => {
          const { verdict, error, delayMs, leftMs } = retry;
          isRetried = true;
          this.#options.onRetry?.({ reason: waitingReason(error), leftMs });
          // A line on which a block stood still has too many of them in flight.
          if (verdict.throttled || error instanceof AttemptTimeout) options?.onThrottled?.();
          if (verdict.throttled) {
            this.#options.onThrottled?.({ doing, status: describeFailure(error).status, delayMs });
          }
        },
      });
      this.#reached = true;
      if (isRetried) this.#options.onRetried?.();
      return result;
    } catch (error) {
      if (signals.some(({ aborted }) => aborted)) {
        throw new SluiceError('CANCELLED', `${doing}: cancelled`, { stage: 'destination' });
      }
      if (isToBeSplit) {
        const leftMs = Math.max(0, patienceMs - (clock.now() - began));
        this.#options.onRetry?.({ reason: waitingReason(error), leftMs });
        throw new BlockTooSlow(this.#wrapped(error, request), leftMs);
      }
      if (isRetried && !this.#judge(error, request).retryable) this.#options.onRetried?.();
      throw error;
    }
  }

  #judge(error: unknown, { mayRepeat }: Pick<Request<unknown>, 'mayRepeat'>): AzureFailure {
    const failure = describeFailure(error);
    if (failure.status !== undefined) this.#reached = true;
    this.#noteClock(failure.serviceTime);
    this.#blockChecks.noteServer(failure.server);
    const wrongHost = failure.code === 'ENOTFOUND' && !this.#reached;
    return { ...failure, retryable: failure.retryable && !wrongHost && (mayRepeat?.(failure) ?? true) };
  }

  #noteClock(serviceTime: Date | undefined): void {
    if (serviceTime !== undefined) this.#aheadMs = serviceTime.getTime() - Date.now();
  }

  #wrapped(
    error: unknown,
    { doing, permission, properties }: Pick<FailureContext, 'doing' | 'permission' | 'properties'>,
  ): SluiceError {
    const { redact, sas, url, proxy } = this.#connection;
    const known = toDestinationError(error, { doing, permission, properties, redact, sas, url, proxy });
    return explainOwnBlob(known, doing);
  }
}

function obstacleOf({ blobType, metadata }: BlobGetPropertiesResponse): BlobProperties['obstacle'] {
  if (metadata?.['hdi_isfolder'] === 'true') return 'directory';
  if (blobType === 'AppendBlob') return 'append blob';
  return blobType === 'PageBlob' ? 'page blob' : undefined;
}

function waitingReason(error: unknown): string {
  const { status, code } = describeFailure(error);
  if (error instanceof AttemptTimeout) return `the storage account does not answer (${error.message})`;
  if (status === undefined) return `the storage account does not answer (${code ?? 'connection failed'})`;
  return `the storage account answers ${[status, code].filter(part => part !== undefined).join(' ')}`;
}

/** 404 for the blob, not for the container. */
function isAbsence({ status, code }: AzureFailure): boolean {
  return status === 404 && !code?.startsWith('Container');
}

function isConditionFailure({ status, code }: AzureFailure): boolean {
  return code === 'ConditionNotMet' || code === 'BlobAlreadyExists' || (status === 412 && code === undefined);
}

/** The request may have had its effect. */
function isUnknown({ retryable, neverDone }: AzureFailure): boolean {
  return retryable && !neverDone;
}
