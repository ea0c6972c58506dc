/** The value of a hexadecimal digit by its character; -1 for every other byte. */
export const HEX: Int8Array = Int8Array.from({ length: 256 }, (_, code) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase());
  return digit;
});
