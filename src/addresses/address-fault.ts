/**
 * Which key of a destination is wrong, and why, in words that follow the key. Holds no
 * secret.
 */
export class AddressFault extends Error {
  override readonly name = 'AddressFault';
  /** As in `accountUrl` or `auth.sasToken`. */
  readonly key: string;

  constructor(key: string, message: string) {
    super(message);
    this.key = key;
  }
}
