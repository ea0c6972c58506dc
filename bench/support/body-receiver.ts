import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import type { BodySink } from './request-framer.ts';

/** Where the bytes of a body are: in memory, in a file, or gone. */
export type Content = Buffer | { readonly file: string } | undefined;

export interface Receiver extends BodySink {
  /** After the last chunk. */
  finish(): { readonly content: Content; readonly md5: string };
  /** Instead of `finish`, when the rest will not come. */
  abandon(): void;
}

export class MemoryReceiver implements Receiver {
  readonly #chunks: Buffer[] = [];

  write(chunk: Buffer): void {
    this.#chunks.push(Buffer.from(chunk));
  }

  finish(): { content: Buffer; md5: string } {
    const content = Buffer.concat(this.#chunks);
    return { content, md5: createHash('md5').update(content).digest('base64') };
  }

  abandon(): void {}
}

export class FileReceiver implements Receiver {
  readonly #file: string;
  readonly #handle: number;
  readonly #hash: Hash = createHash('md5');

  constructor(file: string) {
    this.#file = file;
    this.#handle = openSync(file, 'w');
  }

  write(chunk: Buffer): void {
    this.#hash.update(chunk);
    let written = 0;
    while (written < chunk.length) written += writeSync(this.#handle, chunk, written);
  }

  finish(): { content: { file: string }; md5: string } {
    closeSync(this.#handle);
    return { content: { file: this.#file }, md5: this.#hash.digest('base64') };
  }

  abandon(): void {
    closeSync(this.#handle);
    rmSync(this.#file);
  }
}
