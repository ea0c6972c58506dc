import type { BlobWriteProperties, Precondition } from '../../src/sinks/sink.ts';
import type { World } from './world.ts';

/**
 * A consumer reads what is published before it moves or archives it; a foreign writer
 * does as it pleases.
 */
export type Writer = 'sluice' | 'foreign' | 'consumer';

/** One state of one blob. */
export interface Version {
  readonly name: string;
  readonly etag: string;
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly blocks: ReadonlyMap<string, Uint8Array>;
  readonly by: Writer;
  readonly step: number;
  /** When the request was sent that wrote it. */
  readonly sentStep: number;
  /** Nothing of it can be read, but that it is there. */
  isArchived?: boolean;
}

/** A blob has come into being, was replaced, or was deleted. */
export interface BlobEvent {
  readonly name: string;
  readonly before: Version | undefined;
  readonly after: Version | undefined;
  readonly by: Writer;
}

interface Uncommitted {
  readonly blocks: Map<string, Uint8Array>;
  lastPut: number;
}

export type Applied = { readonly etag: string } | 'condition' | 'blocks missing';

export const WEEK_MS = 7 * 86_400_000;
const NO_BLOCKS: ReadonlyMap<string, Uint8Array> = new Map();

/**
 * A container with Azure's rules (field-notes). Everything that it does is done at once
 * and atomically.
 */
export class VirtualContainer {
  readonly blobs = new Map<string, Version>();
  /** Every state that any blob ever had, by ETag. */
  readonly versions = new Map<string, Version>();
  readonly onEvent: (event: BlobEvent) => void;
  readonly #world: World;
  readonly #uncommitted = new Map<string, Uncommitted>();
  #etags = 0;

  constructor(world: World, onEvent: (event: BlobEvent) => void) {
    this.#world = world;
    this.onEvent = onEvent;
  }

  stage(name: string, blockId: string, bytes: Uint8Array): void {
    const uncommitted = this.#uncommittedOf(name) ?? { blocks: new Map(), lastPut: 0 };
    for (const known of [...uncommitted.blocks.keys(), ...(this.blobs.get(name)?.blocks.keys() ?? [])]) {
      if (known.length !== blockId.length)
        throw new Error(`InvalidBlobOrBlock: ${name} has ids of two lengths`);
    }
    uncommitted.blocks.set(blockId, bytes);
    uncommitted.lastPut = this.#world.milliseconds;
    this.#uncommitted.set(name, uncommitted);
  }

  commit(
    name: string,
    blockIds: readonly string[],
    condition: Precondition,
    { metadata = {} }: BlobWriteProperties,
  ): Applied {
    const before = this.blobs.get(name);
    if (!holds(condition, before)) return 'condition';
    const uncommitted = this.#uncommittedOf(name)?.blocks;
    const blocks = new Map<string, Uint8Array>();
    for (const id of blockIds) {
      const bytes = uncommitted?.get(id) ?? (before?.isArchived ? undefined : before?.blocks.get(id));
      if (bytes === undefined) return 'blocks missing';
      blocks.set(id, bytes);
    }
    return {
      etag: this.#write(name, { bytes: Buffer.concat([...blocks.values()]), metadata, blocks, by: 'sluice' }),
    };
  }

  put(
    name: string,
    bytes: Buffer,
    condition: Precondition | undefined,
    { metadata = {}, by }: Pick<BlobWriteProperties, 'metadata'> & { readonly by: Writer },
  ): Applied {
    if (condition !== undefined && !holds(condition, this.blobs.get(name))) return 'condition';
    return { etag: this.#write(name, { bytes, metadata, blocks: NO_BLOCKS, by }) };
  }

  delete(name: string, ifMatch: string | undefined, by: Writer): 'deleted' | 'absent' | 'changed' {
    const before = this.blobs.get(name);
    if (before === undefined) return 'absent';
    if (ifMatch !== undefined && before.etag !== ifMatch) return 'changed';
    this.blobs.delete(name);
    this.#uncommitted.delete(name);
    this.#world.note(`  ${name} deleted by ${by}`);
    this.onEvent({ name, before, after: undefined, by });
    return 'deleted';
  }

  /** The container is deleted and made again. */
  empty(): void {
    for (const name of [...this.blobs.keys()]) this.delete(name, undefined, 'foreign');
    for (const name of this.#uncommitted.keys()) {
      this.onEvent({ name, before: undefined, after: undefined, by: 'foreign' });
    }
    this.#uncommitted.clear();
  }

  #uncommittedOf(name: string): Uncommitted | undefined {
    const uncommitted = this.#uncommitted.get(name);
    if (uncommitted === undefined || this.#world.milliseconds - uncommitted.lastPut <= WEEK_MS)
      return uncommitted;
    this.#uncommitted.delete(name);
    return undefined;
  }

  #write(name: string, content: Pick<Version, 'bytes' | 'metadata' | 'blocks' | 'by'>): string {
    const before = this.blobs.get(name);
    const etag = `"${++this.#etags}"`;
    const { step, sentStep } = this.#world;
    const after: Version = { name, etag, step, sentStep, ...content };
    this.blobs.set(name, after);
    this.versions.set(etag, after);
    this.#uncommitted.delete(name);
    this.#world.note(`  ${name} is ${etag}, by ${content.by}`);
    this.onEvent({ name, before, after, by: content.by });
    return etag;
  }
}

function holds(condition: Precondition, there: Version | undefined): boolean {
  return 'ifAbsent' in condition ? there === undefined : there?.etag === condition.ifMatch;
}
