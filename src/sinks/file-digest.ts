import { createHash } from 'node:crypto';

export interface Digests {
  readonly md5: Buffer;
  readonly sha256: Buffer;
}

/** Checksums of one file as stored, from its blocks in order. The one place that hashes what is uploaded. */
export class FileDigest {
  readonly #md5 = createHash('md5');
  readonly #sha256 = createHash('sha256');

  /** The bytes may change once this has returned. */
  update(bytes: Uint8Array): void {
    this.#md5.update(bytes);
    this.#sha256.update(bytes);
  }

  /** Ends the digest. */
  digest(): Digests {
    return { md5: this.#md5.digest(), sha256: this.#sha256.digest() };
  }
}
