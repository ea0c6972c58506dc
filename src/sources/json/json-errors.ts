import { type ErrorCode, SluiceError } from '../../errors.ts';
import { accessHint, isRefused, limitOf } from '../../system-errors.ts';

/**
 * Where in a file something is. Rows and lines count from 1, bytes from 0; of a gzip file
 * they are its content's.
 */
export interface Place {
  readonly file: string;
  readonly row?: number;
  readonly line: number;
  readonly offset?: number;
}

/** What is wrong with a row, said by who does not know where the row is. */
export class RowFault extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

export function atPlace(fault: RowFault, place: Place): SluiceError {
  return new SluiceError(fault.code, `${describePlace(place)}: ${fault.message}`, {
    stage: 'source',
    hint: fault.hint,
  });
}

function describePlace({ file, row, line, offset }: Place): string {
  const places = [
    ...(row === undefined ? [] : [`row ${row}`]),
    `line ${line}`,
    ...(offset === undefined ? [] : [`byte ${offset}`]),
  ];
  return `${file}, ${places.join(', ')}`;
}

export function badJson(message: string): RowFault {
  return new RowFault('SOURCE_QUERY_FAILED', message, 'fix the file; nothing was published');
}

export function endsEarly(what: string): RowFault {
  const hint = 'the file is cut off or still being written: run again when it is complete';
  return new RowFault('SOURCE_INCOMPLETE', `the file ends ${what}`, hint);
}

export function tooLarge(maxRowBytes: number): RowFault {
  const message = `the row has more than ${maxRowBytes} bytes, the limit for one row`;
  return new RowFault('SOURCE_VALUE_TOO_LARGE', message, 'leave large values out of the file');
}

export function changed(file: string, what: string): SluiceError {
  return new SluiceError('SOURCE_INCOMPLETE', `${file} ${what} while the run read its source`, {
    stage: 'source',
    hint: 'run again when nobody writes the file; move complete files into place',
  });
}

/** An error of the file system, of zlib, or of ours, as the project's error. */
export function toSourceError(cause: unknown, doing: string): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const text = `${doing}: ${message}`;
  const fail = (kind: ErrorCode, hint?: string): SluiceError =>
    new SluiceError(kind, text, { cause, stage: 'source', ...(hint === undefined ? {} : { hint }) });
  if (code === 'ENOENT') return fail('SOURCE_CONNECT_FAILED', 'check path of the source');
  if (isRefused(cause))
    return fail('SOURCE_PERMISSION', accessHint(cause, { access: 'read', setting: 'path of the source' }));
  if (code === 'Z_BUF_ERROR')
    return fail(
      'SOURCE_INCOMPLETE',
      'the gzip file is cut off or still being written: run again when it is complete',
    );
  if (code.startsWith('Z_')) return fail('SOURCE_QUERY_FAILED', 'the gzip file is damaged: write it again');
  const limit = limitOf(cause);
  if (limit) return fail(limit);
  if (code !== '') return fail('SOURCE_CONNECTION_LOST');
  return fail('INTERNAL');
}

/** A value as messages show it: as JSON, and not all of a long one. */
export function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
