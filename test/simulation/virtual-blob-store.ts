import { SluiceError } from '../../src/errors.ts';
import type {
  BlobBlocks,
  BlobProperties,
  BlobStore,
  BlockLists,
  CommitOptions,
  WriteOutcome,
} from '../../src/sinks/sink.ts';
import type { Refusals } from './refusals.ts';
import type { Applied, VirtualContainer } from './virtual-container.ts';
import { CRASH, type Process } from './world.ts';

/** How often, of all requests, something goes wrong. */
export interface NetworkFaults {
  readonly writes: number;
  readonly reads: number;
}

export interface VirtualBlobStoreOptions {
  readonly container: VirtualContainer;
  readonly process: Process;
  readonly faults: NetworkFaults;
  readonly refusals: Refusals;
  readonly mayDelete: boolean;
  /** Told of each ETag that the process is shown. */
  readonly onSeen: (etag: string) => void;
}

const LONGEST_DELAY_STEPS = 150;
const UNANSWERED = { outcome: 'unknown', message: 'no answer' } as const;

/**
 * A connection to the container: what gets lost, delayed or doubled between a process and
 * the service.
 */
export class VirtualBlobStore implements BlobStore, BlockLists {
  readonly #options: VirtualBlobStoreOptions;

  constructor(options: VirtualBlobStoreOptions) {
    this.#options = options;
  }

  async stageBlock(blob: string, blockId: string, bytes: Uint8Array): Promise<void> {
    const { container, process, faults } = this.#options;
    const { world } = process;
    const what = `stage ${blob}`;
    const apply = (): void => container.stage(blob, blockId, bytes);
    if (process.diesSending(what)) {
      if (world.random.chance(0.3)) this.#later(what, apply);
      throw CRASH;
    }
    if (world.random.chance(faults.writes / 2)) {
      if (world.random.chance(0.5)) this.#later(what, apply);
      throw unanswered(what);
    }
    apply();
    if (world.random.chance(faults.writes / 4)) this.#later(what, apply);
    process.pause(what);
  }

  commitBlocks(blob: string, blockIds: readonly string[], options: CommitOptions): Promise<WriteOutcome> {
    return this.#write(`commit ${blob}`, () => {
      this.#options.refusals.check(blob, options.properties);
      return this.#options.container.commit(blob, blockIds, options.condition, options.properties);
    });
  }

  putBlob(blob: string, bytes: Uint8Array, options: CommitOptions): Promise<WriteOutcome> {
    const content = Buffer.from(bytes);
    return this.#write(`put ${blob}`, () => {
      this.#options.refusals.check(blob, options.properties);
      return this.#options.container.put(blob, content, options.condition, {
        ...options.properties,
        by: 'sluice',
      });
    });
  }

  async head(blob: string): Promise<BlobProperties | undefined> {
    const there = this.#read(`head ${blob}`, blob);
    if (there === undefined) return undefined;
    const tier = there.isArchived ? { isArchived: true as const } : {};
    return { etag: there.etag, bytes: there.bytes.length, metadata: there.metadata, ...tier };
  }

  async getBlob(blob: string): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
    const there = this.#read(`get ${blob}`, blob);
    return there && { bytes: there.bytes, etag: there.etag };
  }

  async getBlocks(blob: string): Promise<BlobBlocks | undefined> {
    const there = this.#read(`blocks of ${blob}`, blob);
    if (there === undefined) return undefined;
    if (there.isArchived) throw new SluiceError('DESTINATION_REFUSED', `blocks of ${blob}: 409 BlobArchived`);
    const blocks = Array.from(there.blocks, ([id, { length }]) => ({ id, bytes: length }));
    return { etag: there.etag, bytes: there.bytes.length, metadata: there.metadata, blocks };
  }

  async deleteBlob(blob: string, ifMatch: string): Promise<'deleted' | 'absent' | 'changed' | 'unknown'> {
    const { container, mayDelete, refusals } = this.#options;
    const what = `delete ${blob}`;
    const apply = () => {
      refusals.checkDelete(blob, container.blobs.get(blob)?.metadata['run']);
      if (mayDelete) return container.delete(blob, ifMatch, 'sluice');
      throw new SluiceError('DESTINATION_PERMISSION', `${what}: not permitted`);
    };
    return this.#send(what, apply, 'unknown');
  }

  async #write(what: string, apply: () => Applied): Promise<WriteOutcome> {
    const applied = this.#send(what, apply, undefined);
    if (applied === undefined) return UNANSWERED;
    if (typeof applied === 'object') return { outcome: 'written', etag: applied.etag };
    return { outcome: 'refused', reason: applied, message: `${what}: ${applied}` };
  }

  /**
   * Sends what changes a blob: it happens now, later, twice or not at all, and the answer
   * arrives or does not.
   */
  #send<T, U>(what: string, apply: () => T, noAnswer: U): T | U {
    const { process, faults } = this.#options;
    const { world } = process;
    if (process.diesSending(what)) {
      const fate = world.random.below(3);
      if (fate === 0) apply();
      if (fate === 1) this.#later(what, apply);
      throw CRASH;
    }
    let answer: T | U = noAnswer;
    const fault = world.random.chance(faults.writes) ? world.random.below(6) : -1;
    switch (fault) {
      case 0:
        world.note(`${what}: lost`);
        break;
      case 1:
        apply();
        world.note(`${what}: answer lost`);
        break;
      case 2:
        this.#later(what, apply);
        break;
      case 3:
        answer = apply();
        this.#later(what, apply);
        break;
      case 4:
        apply();
        answer = apply();
        world.note(`${what}: arrived twice`);
        break;
      case 5:
        world.note(`${what}: 503`);
        throw new SluiceError('DESTINATION_THROTTLED', `${what}: 503`);
      default:
        answer = apply();
        world.note(what);
    }
    process.pause(what);
    return answer;
  }

  #read(what: string, blob: string): ReturnType<VirtualContainer['blobs']['get']> {
    const { container, process, faults, onSeen } = this.#options;
    process.enter(what);
    if (process.world.random.chance(faults.reads)) throw unanswered(what);
    const there = container.blobs.get(blob);
    process.world.note(`${what}: ${there?.etag ?? 'absent'}`);
    if (there) onSeen(there.etag);
    process.pause(what);
    return there;
  }

  #later(what: string, apply: () => unknown): void {
    const { world } = this.#options.process;
    const steps = 1 + world.random.below(LONGEST_DELAY_STEPS);
    world.note(`${what}: will arrive in ${steps} steps`);
    world.later(steps, () => {
      world.note(`${what}: arrives late`);
      try {
        apply();
      } catch {
        // Nobody is there any more to be told.
      }
    });
  }
}

function unanswered(what: string): SluiceError {
  return new SluiceError('DESTINATION_TIMEOUT', `${what}: not answered in time`);
}
