import type { Encoder, OutputBuffer } from '../../encoders/encoder.ts';

/**
 * The bytes of one file between its encoder and its blocks. Whatever is written to `out`,
 * up to its limit, fits the file together with what the encoder's `end` will write.
 */
export interface PartBody {
  /** Where the encoder writes next. Another object after every call of a method. */
  readonly out: OutputBuffer;
  /**
   * Makes room after a row that takes up to `bytes` did not fit.
   * @returns false when the file is full for such a row
   */
  makeRoom(bytes: number): Promise<boolean>;
  /**
   * Makes room for one row that is not certain to fit a file without other rows. After it
   * is written `fits` tells.
   * @returns false when it is certain not to fit
   */
  makeUncertainRoom(bytes: number): Promise<boolean>;
  fits(): Promise<boolean>;
  /** Writes the encoder's end and hands over all that is left. */
  finish(encoder: Encoder): Promise<void>;
  /**
   * Gives its buffers back instead, when nothing was written. Absent where no file can be
   * continued.
   */
  abandon?(): void;
}
