import { SluiceError } from '../../src/errors.ts';
import type { BlobWriteProperties } from '../../src/sinks/sink.ts';
import type { Random } from './random.ts';

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
  /** Told of the run whose file is refused. */
  readonly #onRefused: (run: string) => void;

  constructor(random: Random, onRefused: (run: string) => void) {
    this.#random = random;
    this.#onRefused = onRefused;
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
    if (run !== undefined) this.#onRefused(run);
    throw new SluiceError(code, `writing ${name} is refused`);
  }

  /** Throws where deleting is refused. */
  checkDelete(name: string): void {
    if (this.#leased.has(name)) throw new SluiceError('DESTINATION_REFUSED', `deleting ${name} is refused`);
  }

  #codeFor(
    name: string,
    tags: BlobWriteProperties['tags'],
  ): 'DESTINATION_PERMISSION' | 'DESTINATION_REFUSED' | undefined {
    if (this.#refusesTags && tags !== undefined) return 'DESTINATION_PERMISSION';
    return this.#leased.has(name) ? 'DESTINATION_REFUSED' : undefined;
  }
}
