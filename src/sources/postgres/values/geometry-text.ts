import { float32Text, float64Text } from './float-text.ts';
import type { ValueText } from './value-text.ts';

const POINT_BYTES = 16;
/** In the header of a `cube`: both corners are one. */
const IS_POINT = 0x8000_0000;

/** Types whose text holds floats, by their output functions. */
export const FLOAT_TEXTS: Readonly<Record<string, ValueText>> = {
  float4out: (bytes, start) => float32Text(bytes.readFloatBE(start)),
  float8out: (bytes, start) => float64Text(bytes.readDoubleBE(start)),
  point_out: (bytes, start) => points(bytes, start, 1),
  lseg_out: (bytes, start) => `[${points(bytes, start, 2)}]`,
  box_out: (bytes, start) => points(bytes, start, 2),
  line_out: (bytes, start) => `{${floats(bytes, start, 3).join()}}`,
  circle_out: (bytes, start) => `<${points(bytes, start, 1)},${float64Text(bytes.readDoubleBE(start + 16))}>`,
  poly_out: (bytes, start) => `(${points(bytes, start + 4, bytes.readInt32BE(start))})`,
  path_out: (bytes, start) => {
    const text = points(bytes, start + 5, bytes.readInt32BE(start + 1));
    return bytes[start] === 0 ? `[${text}]` : `(${text})`;
  },
  'foreign cube_out': cubeText,
};

function floats(bytes: Buffer, start: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => float64Text(bytes.readDoubleBE(start + 8 * index)));
}

function points(bytes: Buffer, start: number, count: number): string {
  const texts = Array.from({ length: count }, (_, index) => floats(bytes, start + POINT_BYTES * index, 2));
  return texts.map(point => `(${point.join()})`).join();
}

function cubeText(bytes: Buffer, start: number): string {
  const header = bytes.readUInt32BE(start);
  const count = header % IS_POINT;
  const corner = floats(bytes, start + 4, count).join(', ');
  if (header >= IS_POINT) return `(${corner})`;
  const other = floats(bytes, start + 4 + 8 * count, count).join(', ');
  return other === corner ? `(${corner})` : `(${corner}),(${other})`;
}
