/** Up to here copying 16 bytes at a time is faster than a call. */
const LONG: u32 = 256;

/** Copies; up to 15 bytes more than told are written and read. */
// @ts-ignore: decorator
@inline
export function copyBytes(to: usize, from: usize, length: u32): void {
  v128.store(to, v128.load(from));
  if (length > 16) copyMore(to, from, length);
}

function copyMore(to: usize, from: usize, length: u32): void {
  if (length > LONG) {
    memory.copy(to, from, length);
    return;
  }
  for (let i: u32 = 16; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}
