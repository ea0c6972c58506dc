/** The rare floats of 32 bits that rounding twice would get wrong. */

const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/**
 * The float nearest to a decimal, whose nearest double is `value`, which is no float
 * itself. Rounding the double is right but where it lies just in the middle of two
 * floats: there the decimal says which.
 */
export function exactFloat32(value: number, bytes: Buffer, start: number, end: number): number {
  const near = Math.fround(value);
  if (!Number.isFinite(near) || !Number.isFinite(value)) return near;
  const other = neighbour(near, value > near);
  if (!Number.isFinite(other) || (near + other) / 2 !== value) return near;
  const side = compareWithDecimal(value, bytes.toString('latin1', start, end));
  if (side === 0) return near;
  return side > 0 ? Math.max(near, other) : Math.min(near, other);
}

function neighbour(value: number, upwards: boolean): number {
  if (value === 0) return upwards ? 2 ** -149 : -(2 ** -149);
  single[0] = value;
  bits[0]! += value > 0 === upwards ? 1 : -1;
  return single[0]!;
}

/** Above 0 where the decimal is above the double. */
function compareWithDecimal(value: number, decimal: string): number {
  const [, sign, whole = '', fraction = '', power = '0'] =
    /^(-?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/.exec(decimal) ?? [];
  let left = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n);
  const tens = Number(power) - fraction.length;
  // A double is an integer times a power of two not below 2^-1074.
  let twos = 0;
  let integer = value;
  while (!Number.isInteger(integer)) {
    integer *= 2;
    twos--;
  }
  let right = BigInt(integer);
  if (tens >= 0) left *= 10n ** BigInt(tens);
  else right *= 10n ** BigInt(-tens);
  left <<= BigInt(-twos);
  return left > right ? 1 : left < right ? -1 : 0;
}
