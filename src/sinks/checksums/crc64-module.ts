import { lazyModule } from '../../wasm-module.ts';
import { Crc64 } from './crc64.js';
import { CRC64_CODE } from './crc64-code.ts';

/** assembly/crc64.ts, for threads. */
export const crc64Code = lazyModule(CRC64_CODE);

let instance: Crc64 | undefined;

/** The one of this thread. */
export function crc64(): Crc64 {
  instance ??= new Crc64(crc64Code());
  return instance;
}
