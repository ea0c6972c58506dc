import type { DocumentStore } from '../../../src/daemon/parts.ts';
import { SluiceError } from '../../../src/errors.ts';

/** Documents that outlive what uses them, as text, as on disk. Can be told to fail. */
export class MemoryDocuments implements DocumentStore {
  readonly texts = new Map<string, string>();
  /** Called before each write; throws to make it fail, waits to make it slow. */
  beforeWrite: (name: string) => void | Promise<void> = () => {};
  writes = 0;

  async read(name: string): Promise<unknown> {
    const text = this.texts.get(name);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new SluiceError('STATE_DAMAGED', `the document ${name} is damaged`, { cause });
    }
  }

  async write(name: string, content: unknown): Promise<void> {
    const text = JSON.stringify(content);
    await this.beforeWrite(name);
    this.writes++;
    this.texts.set(name, text);
  }

  async remove(name: string): Promise<void> {
    this.texts.delete(name);
  }

  placeOf(name: string): string {
    return `the document ${name}`;
  }
}
