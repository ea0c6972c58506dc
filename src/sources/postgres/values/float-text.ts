/**
 * The shortest decimal that gives a float back, as PostgreSQL writes it where
 * `extra_float_digits` is above 0. It differs from JavaScript's in its form (`1e+15`,
 * `1e-05`), and in that a decimal right between two floats is neither of them.
 */

const double = new DataView(new ArrayBuffer(8));

/**
 * From here on a decimal of 17 digits can lie right between two doubles, and up to there.
 */
const FIRST_BETWEEN = 2 ** 52;
const LAST_BETWEEN = 1e40;
const MOST_DIGITS_64 = 17;
const MOST_DIGITS_32 = 9;
/** Exponents from which on the form is `1e+15`. */
const FIRST_EXPONENT_64 = 15;
const FIRST_EXPONENT_32 = 6;

export function float64Text(value: number): string {
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  const shortest = magnitude.toExponential();
  if (magnitude < FIRST_BETWEEN || magnitude >= LAST_BETWEEN)
    return formOf(value, shortest, FIRST_EXPONENT_64);
  const below = neighbour64(magnitude, -1n);
  const above = neighbour64(magnitude, 1n);
  const isNearest = (decimal: string): boolean =>
    compareTwice(decimal, below, magnitude) > 0 && compareTwice(decimal, magnitude, above) < 0;
  const first = shortest.split('e')[0]!.replace('.', '').length;
  const found = isNearest(shortest)
    ? shortest
    : shortestNearest(magnitude, first + 1, MOST_DIGITS_64, isNearest);
  return formOf(value, found, FIRST_EXPONENT_64);
}

export function float32Text(value: number): string {
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (magnitude === 0) return formOf(value, '0e+0', FIRST_EXPONENT_32);
  const below = neighbour32(magnitude, -1);
  const above = neighbour32(magnitude, 1);
  // A double holds what lies between two floats.
  const low = (below + magnitude) / 2;
  const high = magnitude + (above - magnitude) / 2;
  const isNearest = (decimal: string): boolean => {
    const read = Number(decimal);
    if (read === low) return compareTwice(decimal, below, magnitude) > 0;
    if (read === high) return compareTwice(decimal, magnitude, above) < 0;
    return read > low && read < high;
  };
  return formOf(value, shortestNearest(magnitude, 1, MOST_DIGITS_32, isNearest), FIRST_EXPONENT_32);
}

/**
 * Where floats below are nearer to each other than those above, the nearest decimal may
 * be that of another float.
 */
function shortestNearest(
  magnitude: number,
  fewest: number,
  most: number,
  isNearest: (decimal: string) => boolean,
): string {
  for (let digits = fewest; digits < most; digits++) {
    const nearest = nearestDecimal(magnitude, digits);
    if (isNearest(nearest)) return nearest;
    const above = nextDecimal(nearest);
    if (isNearest(above)) return above;
  }
  return nearestDecimal(magnitude, most);
}

/**
 * Takes the decimal with an even last digit where two are equally near; `toExponential`
 * takes the greater.
 */
function nearestDecimal(magnitude: number, digits: number): string {
  const nearest = magnitude.toExponential(digits - 1);
  if (!/[13579]e/.test(nearest)) return nearest;
  const longer = magnitude.toExponential(digits);
  const isHalfway = longer.includes('5e') && compareTwice(longer, magnitude, magnitude) === 0;
  // The longer one without its 5.
  return isHalfway ? longer.replace(/\.?5e/, 'e') : nearest;
}

/** With as many digits, and one more in the last of them. */
function nextDecimal(decimal: string): string {
  const [digits = '', exponent] = decimal.split('e');
  const next = String(BigInt(digits.replace('.', '')) + 1n);
  const carried = next.length - digits.replace('.', '').length;
  return `${next[0]}.${next.slice(1) || '0'}e${Number(exponent) + carried}`;
}

/** Above 0 where twice the decimal is more than the sum of two doubles. */
function compareTwice(decimal: string, left: number, right: number): number {
  const [digits = '', exponent] = decimal.split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  let twice = BigInt(whole + fraction) * 2n;
  const tens = Number(exponent) - fraction.length;
  const twos = Math.max(0, -Math.min(exponentOf(left), exponentOf(right)));
  let sum = scaled(left, twos) + scaled(right, twos);
  if (tens >= 0) twice *= 10n ** BigInt(tens);
  else sum *= 10n ** BigInt(-tens);
  twice <<= BigInt(twos);
  return twice > sum ? 1 : twice < sum ? -1 : 0;
}

/** Times a power of two that makes it an integer. */
function scaled(value: number, twos: number): bigint {
  const exponent = exponentOf(value);
  return mantissaOf(value) << BigInt(exponent + twos);
}

/** A double is its mantissa, an integer, times 2 to its exponent. */
function mantissaOf(value: number): bigint {
  double.setFloat64(0, value);
  const bits = double.getBigUint64(0);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  return bits >> 52n === 0n ? fraction : fraction | 0x10_0000_0000_0000n;
}

function exponentOf(value: number): number {
  double.setFloat64(0, value);
  return Math.max(1, double.getUint16(0) >> 4) - 1075;
}

function neighbour64(magnitude: number, step: bigint): number {
  double.setFloat64(0, magnitude);
  double.setBigUint64(0, double.getBigUint64(0) + step);
  return double.getFloat64(0);
}

/** That of the greatest float is the number that would follow it. */
function neighbour32(magnitude: number, step: number): number {
  double.setFloat32(0, magnitude);
  double.setUint32(0, double.getUint32(0) + step);
  const neighbour = double.getFloat32(0);
  return Number.isFinite(neighbour) ? neighbour : 2 ** 128;
}

/** @param decimal of the magnitude: `1.5e+3` */
function formOf(value: number, decimal: string, firstExponent: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', power] = decimal.split('e');
  const exponent = Number(power);
  const digits = mantissa.replace('.', '').replace(/(?<=.)0+$/, '');
  if (exponent < -4 || exponent >= firstExponent) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const shown = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${shown}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
