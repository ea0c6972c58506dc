/**
 * What a baseline retained of rows that are gone, as rows of the present columns.
 */

/** A field is a 4-byte length and its bytes; NULL has a length of -1. */
const NULL_FIELD = Buffer.from([0xff, 0xff, 0xff, 0xff]);

/**
 * The row whose fields stand at `places` among those that were retained; without a place
 * they are NULL.
 */
export function rowOfFields(retained: Buffer, places: readonly (number | undefined)[]): Buffer {
  const bounds = fieldBounds(retained);
  const fieldAt = (place: number): Buffer => retained.subarray(bounds[place]!, bounds[place + 1]!);
  return Buffer.concat(places.map(place => (place === undefined ? NULL_FIELD : fieldAt(place))));
}

/** Where each field of a row begins, and where the last one ends. */
export function fieldBounds(row: Buffer): number[] {
  const bounds = [0];
  for (let at = 0; at < row.length; bounds.push(at)) at += 4 + Math.max(0, row.readInt32BE(at));
  return bounds;
}
