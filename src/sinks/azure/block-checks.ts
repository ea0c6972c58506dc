import { createHash } from 'node:crypto';
import { crc64 } from '../checksums/crc64-module.ts';
import type { AzureFailure } from './azure-failure.ts';

/** Options of the SDK for Put Block. */
interface BlockCheck {
  readonly transactionalContentCrc64?: Uint8Array;
  readonly transactionalContentMD5?: Uint8Array;
}

/**
 * What the service compares a block with: its CRC64, or its MD5 where the service refuses
 * that.
 */
export class BlockChecks {
  #isRefused = false;
  #isEmulator = false;

  /** Whether the service refused CRC64, and is not an emulator, which always does. */
  get refusesCrc64(): boolean {
    return this.#isRefused && !this.#isEmulator;
  }

  /** Name and version that the service gave itself in an answer. */
  noteServer(server: string | undefined): void {
    if (server?.startsWith('Azurite')) this.#isEmulator = true;
  }

  /** A block that was sent with its CRC64 failed for that. */
  refuse(): void {
    this.#isRefused = true;
  }

  /** `known` is the CRC64 of the bytes, where somebody has it. */
  of(bytes: Uint8Array, known: bigint | undefined): BlockCheck {
    if (this.#isRefused || this.#isEmulator)
      return { transactionalContentMD5: createHash('md5').update(bytes).digest() };
    const lowestFirst = Buffer.alloc(8);
    lowestFirst.writeBigUInt64LE(known ?? crc64().of(bytes));
    return { transactionalContentCrc64: lowestFirst };
  }
}

/** Whether a block that was sent with its CRC64 may have failed for that. */
export function isRefusalOfCrc64({ status, code = '' }: AzureFailure): boolean {
  return status === 501 || REFUSALS.has(code);
}

/** By emulators in their strict mode, and by services of an older version. */
const REFUSALS: ReadonlySet<string> = new Set([
  'FeatureNotSupported',
  'StrictModelNotSupportedError',
  'UnsupportedHeader',
  'InvalidHeaderValue',
]);
