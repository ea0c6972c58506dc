import { SluiceError } from '../../src/errors.ts';
import type { BlobWriteProperties } from '../../src/sinks/sink.ts';
import type { Random } from './random.ts';

export interface ToldOfRefusals {
  /** The run wants to write the file. */
  onWrite(run: string, name: string): void;
  /** The run has written the file. */
  onDelete(run: string, name: string): void;
  /** Nothing of what was refused is refused any longer. */
  onEnd(): void;
}

/** What the container refuses for good, until a person does something about it. */
export class Refusals {
  readonly #random: Random;
  /** How often, of all starts, a configuration begins to ask for tags. */
  readonly #tags: number;
  /** How often, of all starts, a blob that is written is leased by somebody else. */
  readonly #leases: number;
  /** Commits that carry tags: the credentials lack the right. */
  #refusesTags = false;
  readonly #leased = new Set<string>();
  #writesUntilLease = Number.POSITIVE_INFINITY;
  readonly #told: ToldOfRefusals;

  constructor(random: Random, told: ToldOfRefusals) {
    this.#random = random;
    this.#told = told;
    const often = random.chance(0.5) ? 0.6 : 0.15;
    this.#tags = random.chance(0.2) ? often : 0;
    this.#leases = random.chance(0.2) ? often : 0;
  }

  /** Whether a blob may ever be leased by somebody else. */
  get mayLease(): boolean {
    return this.#leases > 0;
  }

  /** To be called before each start. */
  begin(): void {
    this.#refusesTags = this.#random.chance(0.7);
    // The number of a write to come.
    if (this.#random.chance(this.#leases)) this.#writesUntilLease = 1 + this.#random.below(8);
  }

  beginTags(): boolean {
    return this.#random.chance(this.#tags);
  }

  /** Whether there was any to end. */
  endLeases(): boolean {
    const had = this.#leased.size > 0;
    if (had) this.#told.onEnd();
    this.#leased.clear();
    this.#writesUntilLease = Number.POSITIVE_INFINITY;
    return had;
  }

  /** Throws where the write is refused. */
  check(name: string, { tags, metadata }: BlobWriteProperties): void {
    if (--this.#writesUntilLease === 0) this.#leased.add(name);
    const code = this.#codeFor(name, tags);
    if (code === undefined) return;
    const run = metadata?.['run'];
    if (run !== undefined) this.#told.onWrite(run, name);
    throw new SluiceError(code, `writing ${name} is refused`);
  }

  /** Throws where deleting what the run has written is refused. */
  checkDelete(name: string, run: string | undefined): void {
    if (!this.#leased.has(name)) return;
    if (run !== undefined) this.#told.onDelete(run, name);
    throw new SluiceError('DESTINATION_REFUSED', `deleting ${name} is refused`);
  }

  #codeFor(
    name: string,
    tags: BlobWriteProperties['tags'],
  ): 'DESTINATION_PERMISSION' | 'DESTINATION_REFUSED' | undefined {
    if (this.#refusesTags && tags !== undefined) return 'DESTINATION_PERMISSION';
    return this.#leased.has(name) ? 'DESTINATION_REFUSED' : undefined;
  }
}
