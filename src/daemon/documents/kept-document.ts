import type * as z from 'zod';
import { describeMisfit } from '../../config/tree/describe-misfit.ts';
import { SluiceError } from '../../errors.ts';
import type { DocumentStore } from '../parts.ts';

export interface KeptDocumentOptions<T extends object> {
  readonly store: DocumentStore;
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** What to do where it is damaged, and what that loses. */
  readonly hint: string;
  /** Said of one of another form. */
  readonly misfit?: string;
}

/**
 * One document that is kept on disk: it is read by its schema, and written one write at a
 * time, each of the newest.
 */
export class KeptDocument<T extends object> {
  readonly #options: KeptDocumentOptions<T>;
  /** As it is on disk. */
  #kept = '';
  #saving: Promise<void> = Promise.resolve();

  constructor(options: KeptDocumentOptions<T>) {
    this.#options = options;
  }

  /**
   * `undefined` where it was never written. Rejects with STATE_DAMAGED where it is not
   * what its schema says.
   */
  async read(): Promise<T | undefined> {
    const { store, name, schema, hint, misfit = 'is damaged' } = this.#options;
    let content: unknown;
    try {
      content = await store.read(name);
    } catch (cause) {
      if (!(cause instanceof SluiceError) || cause.code !== 'STATE_DAMAGED') throw cause;
      throw new SluiceError('STATE_DAMAGED', cause.message, { cause, stage: 'state', hint });
    }
    if (content === undefined) return undefined;
    const { data, error } = schema.safeParse(content);
    if (error === undefined) return data;
    const message = `${store.placeOf(name)} ${misfit}: ${describeMisfit(error)}`;
    throw new SluiceError('STATE_DAMAGED', message, { stage: 'state', hint });
  }

  /**
   * Writes what `contentOf` returns when its turn comes, unless that is on disk already.
   */
  save(contentOf: () => T): Promise<void> {
    const before = this.#saving;
    this.#saving = this.#saveAfter(before, contentOf);
    return this.#saving;
  }

  async #saveAfter(before: Promise<void>, contentOf: () => T): Promise<void> {
    // Its own caller has heard of its failure.
    await before.catch(() => {});
    const content = contentOf();
    const text = JSON.stringify(content);
    if (text === this.#kept) return;
    await this.#options.store.write(this.#options.name, content);
    this.#kept = text;
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await this.#saving.catch(() => {});
  }
}
