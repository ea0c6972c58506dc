import { Crc64 } from './crc64.js';
import { CRC64_CODE } from './crc64-code.ts';

let code: WebAssembly.Module | undefined;
let instance: Crc64 | undefined;

/** assembly/crc64.ts, for threads. */
export function crc64Code(): WebAssembly.Module {
  code ??= new WebAssembly.Module(Buffer.from(CRC64_CODE, 'base64'));
  return code;
}

/** The one of this thread. */
export function crc64(): Crc64 {
  instance ??= new Crc64(crc64Code());
  return instance;
}
