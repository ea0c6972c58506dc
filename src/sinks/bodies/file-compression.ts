/** How the text of one file is compressed: an object for each file. */
export interface FileCompression {
  /** What the file begins with. */
  readonly head: Buffer;
  /**
   * Compresses the text that comes next, which must not change until then. The result
   * takes at most `bound` of its length, and may lie where the text was.
   */
  compress(plain: Buffer): Promise<Buffer>;
  /** What ends the text. */
  tail(): Buffer;
  /** The most bytes that `tail` gives. */
  readonly tailBytes: number;
  /** The most bytes that `plainBytes` of text take in one piece. */
  bound(plainBytes: number): number;
  /** The most bytes of text that surely take no more than `bytes` in one piece. */
  plainBytesWithin(bytes: number): number;
  /** A text by itself that may follow the end of another. It is too short to compress. */
  apart(plain: Buffer): Buffer;
  /** The most bytes that `apart` gives for `plainBytes`. */
  apartBound(plainBytes: number): number;
}
