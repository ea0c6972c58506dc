/**
 * Rows from the form in which the database sends them to the text of a file, 16 bytes at
 * a time. Compiled to WebAssembly by `npm run assembly`; src/encoders/text/ calls it.
 * Memory beyond what is told is never written, but for 32 bytes behind the position that
 * is being written.
 */
import { copyBytes } from './copy';
import { mayBeginFormula, needsQuotes, writeQuoted } from './quotes';
import { Field, RowForm, Stop, Way } from './row-form';
import { hasLineBreak, isCoerced, writeDocument, writeText } from './text';
import { writeTimestamp } from './timestamp';

/** Writes a value that is left to the caller; returns the position behind it. */
// @ts-ignore: decorator
@external("caller", "writeValue")
declare function writeByCaller(field: u32, start: usize, end: usize, at: usize): usize;

const LOWER_T: u32 = 0x74;
const NINE: u32 = 0x39;
const QUOTE: u32 = 0x22;

/**
 * Writes rows from `output` on, as many as fit `room` bytes, each whole or not at all.
 * @param bounds start and end of each row; where a row that was written ends takes the
 *   place of its start
 * @param outputEnd memory ends there
 * @returns how many rows; `form` says where they end, and why not more
 */
export function writeRows(
  form: RowForm,
  bounds: usize,
  count: u32,
  isFirst: bool,
  output: usize,
  outputEnd: usize,
  room: u32,
): u32 {
  const fields = form.fields;
  const fieldsEnd = form.fieldsEnd;
  const perByte = form.perByte;
  const perRow = form.perRow;
  const coercedInRow = form.coercedInRow;
  let rowAt = output;
  form.stop = Stop.DONE;
  let row: u32 = 0;
  for (; row < count; row++, bounds += 8) {
    let p = <usize>load<u32>(bounds);
    if (<u32>(outputEnd - rowAt) < (load<u32>(bounds, 4) - <u32>p) * perByte + perRow) {
      form.stop = Stop.NO_MEMORY;
      break;
    }
    let at = rowAt;
    if (isFirst && row == 0) {
      copyBytes(at, form.firstOpen, form.firstOpenLength);
      at += form.firstOpenLength;
    } else {
      copyBytes(at, form.open, form.openLength);
      at += form.openLength;
    }
    const fieldsAt = at;
    let coercedCount: u32 = 0;
    for (let next = fields; next < fieldsEnd; next += offsetof<Field>()) {
      const field = changetype<Field>(next);
      const length = <i32>bswap(load<u32>(p));
      p += 4;
      if (length < 0) {
        copyBytes(at, field.null, field.nullLength);
        at += field.nullLength;
        continue;
      }
      copyBytes(at, field.open, field.openLength);
      at += field.openLength;
      const end = p + length;
      const way = field.way;
      if (way == Way.COPY) {
        copyBytes(at, p, length);
        at += length;
      } else if (way == Way.TEXT) {
        at = writeText(form, p, end, at);
        if (at == 0) {
          form.refusedField = indexOf(form, next);
          form.stop = Stop.NOT_UTF8;
          break;
        }
        if (isCoerced) store<u32>(coercedInRow + 4 * coercedCount++, next);
      } else if (way == Way.BOOLEAN) {
        const isTrue = <u32>load<u8>(p) == LOWER_T;
        const textLength = isTrue ? field.yesLength : field.noLength;
        copyBytes(at, isTrue ? field.yes : field.no, textLength);
        at += textLength;
      } else if (way == Way.TIMESTAMP) {
        at = writeTimestamp(p, end, at);
      } else if (way == Way.NUMBER) {
        // PostgreSQL writes a number that is none as NaN, Infinity or -Infinity.
        const isNumber = <u32>load<u8>(end - 1) <= NINE;
        if (!isNumber) {
          store<u8>(at++, QUOTE);
          store<u32>(coercedInRow + 4 * coercedCount++, next);
        }
        copyBytes(at, p, length);
        at += length;
        if (!isNumber) store<u8>(at++, QUOTE);
      } else if (way == Way.DOCUMENT) {
        if (!writeDocument(p, end, at)) {
          form.refusedField = indexOf(form, next);
          form.stop = Stop.NOT_UTF8;
          break;
        }
        at = hasLineBreak && form.compactsDocuments ? writeByCaller(indexOf(form, next), p, end, at) : at + length;
      } else if (way == Way.QUOTE) {
        at = writeQuoted(form.quote, p, end, at);
      } else if (
        way == Way.CALL ||
        <u32>length == form.nullLength ||
        (way == Way.SCAN_FORMULA && mayBeginFormula(load<u8>(p)))
      ) {
        at = writeByCaller(indexOf(form, next), p, end, at);
      } else if (!needsQuotes(form, p, end, at)) {
        at += length;
      } else if (form.quotesSpecials) {
        at = writeQuoted(form.quote, p, end, at);
      } else {
        at = writeByCaller(indexOf(form, next), p, end, at);
      }
      p = end;
      copyBytes(at, field.close, field.closeLength);
      at += field.closeLength;
    }
    if (form.stop == Stop.NOT_UTF8) break;
    if (at == fieldsAt) {
      copyBytes(at, form.emptyClose, form.emptyCloseLength);
      at += form.emptyCloseLength;
    } else {
      if (form.firstByte) store<u8>(fieldsAt, form.firstByte);
      copyBytes(at, form.close, form.closeLength);
      at += form.closeLength;
    }
    if (<u32>(at - output) > room) {
      form.stop = Stop.NO_ROOM;
      form.rowBytes = <u32>(at - rowAt);
      break;
    }
    for (let i: u32 = 0; i < coercedCount; i++) changetype<Field>(load<u32>(coercedInRow + 4 * i)).coerced++;
    rowAt = at;
    store<u32>(bounds, <u32>rowAt);
  }
  form.end = rowAt;
  return row;
}

function indexOf(form: RowForm, field: usize): u32 {
  return <u32>(field - form.fields) / offsetof<Field>();
}
