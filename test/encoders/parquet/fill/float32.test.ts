import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactFloat32 } from '../../../../src/encoders/parquet/fill/float32.ts';

const float = (text: string): number => exactFloat32(Number(text), Buffer.from(text), 0, text.length);

/** All digits of a double. */
function allDigits(value: number): string {
  let twos = 0;
  let integer = Math.abs(value);
  while (!Number.isInteger(integer)) {
    integer *= 2;
    twos++;
  }
  const digits = (BigInt(integer) * 5n ** BigInt(twos)).toString().padStart(twos + 1, '0');
  const point = digits.length - twos;
  return `${value < 0 ? '-' : ''}${digits.slice(0, point)}${twos > 0 ? `.${digits.slice(point)}` : ''}`;
}

function next(value: number): number {
  const single = Float32Array.of(value);
  new Int32Array(single.buffer)[0]! += 1;
  return single[0]!;
}

test('rounds a decimal next to the middle of two floats to the side on which it lies', () => {
  const property = fc.property(
    fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(1e-40), max: Math.fround(1e30) }),
      fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e30), max: Math.fround(-1e-40) }),
    ),
    near => {
      const far = next(near); // away from zero
      const middle = (near + far) / 2;
      const digits = allDigits(middle);
      const beyond = digits.includes('.') ? `${digits}0000001` : `${digits}.0000001`;
      assert.equal(float(beyond), far);
      // One less in the last digit, and nines behind it.
      const before = digits.replace(/[1-9](?=[0.]*$)/, digit => String(Number(digit) - 1));
      const nines = before.replace(/0*$/, '');
      if (digits.includes('.')) assert.equal(float(`${nines}${'9'.repeat(30)}`), near);
      const even = new Int32Array(Float32Array.of(near).buffer)[0]! % 2 === 0 ? near : far;
      assert.equal(float(digits), even);
    },
  );
  fc.assert(property, { numRuns: 1000 });
});

test('leaves every other decimal as it is rounded', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => {
      assert.equal(float(Object.is(value, -0) ? '-0' : String(value)), Math.fround(value));
    }),
  );
});
