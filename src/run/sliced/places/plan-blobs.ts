import { STATE_PLAN } from '../../../config/plan-name.ts';
import { SluiceError } from '../../../errors.ts';
import { atOnce } from '../../../sinks/at-once.ts';
import type { Destination, Precondition, WriteOutcome } from '../../../sinks/sink.ts';
import { PLAN, type PlanCollection, type PlanPlace } from './plan-place.ts';

/**
 * How often a write is repeated that another writer, or a lost answer, keeps from being
 * done.
 */
const MAX_ATTEMPTS = 5;

export interface PlanBlobsOptions {
  readonly store: Destination;
  /** Before the names of all plans; '' or with a trailing `/`. */
  readonly prefix: string;
  readonly encryptionScope: string | undefined;
}

/** `NAME.json` is a plan, and `NAME.json.slices/DOCUMENT` what lies beside it. */
const PLAN_BLOB = /^(?<name>[^/]+)\.json(?:\.slices\/(?<document>[^/]+))?$/;

/** Plans as blobs. */
export class PlanBlobs implements PlanCollection {
  readonly #options: PlanBlobsOptions;

  constructor(options: PlanBlobsOptions) {
    this.#options = options;
  }

  placeOf(name: string): BlobPlace {
    return new BlobPlace(name, this.#options);
  }

  async list(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { store, prefix } = this.#options;
    const found = new Map<string, string[]>();
    for (const blob of await store.listBlobs(prefix)) {
      const { name, document } = PLAN_BLOB.exec(blob.slice(prefix.length))?.groups ?? {};
      if (name === undefined) continue;
      const documents = found.get(name) ?? [];
      found.set(name, document === undefined ? documents : [...documents, document]);
    }
    return found;
  }

  /** The plan last: what is beside it is found by it. */
  async remove(name: string, documents: readonly string[]): Promise<void> {
    const { store } = this.#options;
    const place = this.placeOf(name);
    const removeOne = async (document: string): Promise<void> => {
      const blob = place.nameOf(document);
      const there = await store.head(blob);
      if (there !== undefined) await store.deleteBlob(blob, there.etag);
    };
    await atOnce(documents, removeOne);
    await removeOne(PLAN);
  }
}

/** Blobs: one for the plan, and one for each document beside it. */
class BlobPlace implements PlanPlace {
  readonly plan: string;
  readonly #blob: string;
  readonly #options: PlanBlobsOptions;

  constructor(name: string, options: PlanBlobsOptions) {
    this.plan = `${STATE_PLAN}${name}`;
    this.#blob = `${options.prefix}${name}.json`;
    this.#options = options;
  }

  nameOf(document: string): string {
    return document === PLAN ? this.#blob : `${this.#blob}.slices/${document}`;
  }

  async read(document: string): Promise<string | undefined> {
    const there = await this.#options.store.getBlob(this.nameOf(document));
    return there?.bytes.toString('utf8');
  }

  async create(document: string, text: string): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#put(document, text, { ifAbsent: true });
      if (outcome.outcome === 'written') return true;
      const there = await this.read(document);
      // Its own, where an answer was lost.
      if (there !== undefined) return there === text;
      this.#giveUpAfter(attempt, document, outcome);
    }
  }

  async replace(document: string, text: string): Promise<void> {
    const name = this.nameOf(document);
    for (let attempt = 1; ; attempt++) {
      const there = await this.#options.store.head(name);
      const condition: Precondition = there === undefined ? { ifAbsent: true } : { ifMatch: there.etag };
      const outcome = await this.#put(document, text, condition);
      if (outcome.outcome === 'written' || (await this.read(document)) === text) return;
      this.#giveUpAfter(attempt, document, outcome);
    }
  }

  #put(document: string, text: string, condition: Precondition): Promise<WriteOutcome> {
    const { store, encryptionScope } = this.#options;
    const properties = {
      contentType: 'application/json',
      ...(encryptionScope !== undefined && { encryptionScope }),
    };
    return store.putBlob(this.nameOf(document), Buffer.from(text), { condition, properties });
  }

  #giveUpAfter(attempt: number, document: string, outcome: WriteOutcome): void {
    if (attempt < MAX_ATTEMPTS || outcome.outcome === 'written') return;
    const message = `writing ${this.nameOf(document)} was not done ${attempt} times: ${outcome.message}`;
    throw new SluiceError('DESTINATION_TIMEOUT', message, { stage: 'destination' });
  }
}
