import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, type ErrorStage, SluiceError } from './errors.ts';

/**
 * What the operating system, or the engine that runs us, refuses, as the project's
 * errors. One place knows which of it passes and which somebody has to change.
 */

export interface SystemErrorOptions {
  readonly stage?: ErrorStage;
  /** What was wanted of the file or folder; `write` unless told. */
  readonly access?: 'read' | 'write';
  /** What names the folder, for hints. */
  readonly setting?: string;
}

/** No repetition changes these. */
const REFUSED = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG', 'ELOOP']);
const NO_FILES = new Set(['EMFILE', 'ENFILE']);
const NO_MEMORY = new Set([
  'ENOMEM',
  'ERR_WORKER_OUT_OF_MEMORY',
  'ERR_WORKER_INIT_FAILED',
  'ERR_MEMORY_ALLOCATION_FAILED',
]);
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EFBIG', 'EAGAIN', 'EBUSY', 'ESTALE', 'ETXTBSY']);
const MEMORY_TEXT =
  /out of memory|allocation failed|could not allocate|cannot allocate memory|maximum memory size exceeded|memory allocation of \d/i;
/** V8 has no text, and Node no buffer, of that length. */
const TOO_LARGE = new Set(['ERR_STRING_TOO_LONG', 'ERR_BUFFER_TOO_LARGE']);
const TOO_LARGE_TEXT =
  /invalid string length|invalid (?:typed )?array (?:buffer )?length|the value of "size" is out of range/i;

/** LevelDB tells texts of the system only. */
const ERRNO_OF_TEXT: readonly (readonly [RegExp, string])[] = [
  [/: Permission denied/, 'EACCES'],
  [/: Operation not permitted/, 'EPERM'],
  [/: Read-only file system/, 'EROFS'],
  [/: Not a directory/, 'ENOTDIR'],
  [/: File name too long/, 'ENAMETOOLONG'],
  [/: Too many levels of symbolic links/, 'ELOOP'],
  [/: Too many open files/, 'EMFILE'],
  [/: Cannot allocate memory/, 'ENOMEM'],
  [/: No space left on device/, 'ENOSPC'],
  [/: Disk quota exceeded/, 'EDQUOT'],
  [/: Input\/output error/, 'EIO'],
];
const MAX_CAUSES = 8;

/** The error, then what caused it. */
function chainOf(cause: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = cause; at instanceof Error && chain.length < MAX_CAUSES; at = at.cause) chain.push(at);
  return chain;
}

/** `EACCES` and the like; `undefined` where the system refused nothing. */
export function errnoOf(cause: unknown): string | undefined {
  for (const error of chainOf(cause)) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return code;
    const told = ERRNO_OF_TEXT.find(([text]) => text.test(error.message));
    if (told) return told[1];
  }
  return undefined;
}

/** Whether no repetition changes it. */
export function isRefused(cause: unknown): boolean {
  return REFUSED.has(errnoOf(cause) ?? '');
}

/** What the data directory, or another folder of ours, does not let happen. */
export function stateError(cause: unknown, doing: string, options: SystemErrorOptions = {}): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const { stage = 'state' } = options;
  const message = `${doing}: ${reasonOf(cause)}`;
  if (isRefused(cause)) {
    return new SluiceError('STATE_INACCESSIBLE', message, { cause, stage, hint: accessHint(cause, options) });
  }
  const limit = limitOf(cause);
  if (limit) return new SluiceError(limit, message, { cause, stage });
  return new SluiceError('STATE_WRITE_FAILED', message, { cause, stage });
}

/**
 * Why something of ours could not be read: the system's refusal, or else what `damaged`
 * says.
 */
export function readError(
  cause: unknown,
  doing: string,
  damaged: () => SluiceError,
  options: SystemErrorOptions = {},
): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const errno = errnoOf(cause);
  const isSystem = errno !== undefined && errno !== 'ENOENT';
  return isSystem || limitOf(cause) ? stateError(cause, doing, { ...options, access: 'read' }) : damaged();
}

/**
 * What nobody foresaw: what the world does as what it is, and only the rest as a defect
 * of ours.
 */
export function unexpectedError(
  cause: unknown,
  { stage }: { readonly stage?: ErrorStage } = {},
): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const told = { cause, ...(stage && { stage }) };
  const reason = reasonOf(cause);
  const limit = limitOf(cause);
  if (limit) return new SluiceError(limit, `the process met a limit: ${reason}`, told);
  if ((cause as NodeJS.ErrnoException | undefined)?.syscall === 'uv_cwd') {
    const hint = 'run it in a folder that is there';
    return new SluiceError('CONFIG_NOT_FOUND', 'the folder that the command runs in was deleted', {
      ...told,
      hint,
    });
  }
  const errno = errnoOf(cause) ?? '';
  const path = pathOf(cause);
  if (PASSING.has(errno) || (REFUSED.has(errno) && path !== undefined))
    return stateError(cause, 'the system refused', { ...(stage && { stage }), setting: 'another folder' });
  return new SluiceError('INTERNAL', `unexpected: ${reason}`, told);
}

/**
 * The code of a limit that the process has met: of memory, of open files, of the size of
 * a value.
 */
export function limitOf(cause: unknown): ErrorCode | undefined {
  if (typeof cause === 'string') return MEMORY_TEXT.test(cause) ? 'RUN_OUT_OF_MEMORY' : undefined;
  const errno = errnoOf(cause);
  if (errno !== undefined && NO_FILES.has(errno)) return 'RUN_OUT_OF_FILES';
  for (const error of chainOf(cause)) {
    const code = String((error as NodeJS.ErrnoException).code ?? '');
    if (NO_MEMORY.has(code) || MEMORY_TEXT.test(error.message)) return 'RUN_OUT_OF_MEMORY';
    if (TOO_LARGE.has(code) || (error instanceof RangeError && TOO_LARGE_TEXT.test(error.message)))
      return 'SOURCE_VALUE_TOO_LARGE';
  }
  return errno === 'ENOMEM' ? 'RUN_OUT_OF_MEMORY' : undefined;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // LevelDB's own says no more than that it failed.
  const inner = cause.cause instanceof Error && /^LEVEL_/.test(String((cause as NodeJS.ErrnoException).code));
  return inner ? (cause.cause as Error).message : cause.message;
}

/** Names path, user, and the right that is missing. */
export function accessHint(
  cause: unknown,
  { access = 'write', setting = 'dataDirectory' }: SystemErrorOptions = {},
): string {
  const path = pathOf(cause);
  const there = path === undefined ? undefined : nearest(path);
  const place = there?.path ?? path ?? 'it';
  switch (errnoOf(cause)) {
    case 'EROFS':
      return `${place} is on a file system that is mounted read-only: mount it writable, or set ${setting}`;
    case 'ENOTDIR':
      return `${place} is a file and no folder: set ${setting} to a folder`;
    case 'EEXIST':
      return `${path ?? place} is a file, or a link that leads nowhere: set ${setting} to a folder`;
    case 'EISDIR':
      return `${place} is a folder and no file: move it away`;
    case 'ENAMETOOLONG':
      return `the path ${path ?? ''} is longer than the file system takes: choose a shorter one for ${setting}`;
    case 'ELOOP':
      return `symbolic links lead in a circle at ${path ?? place}: set ${setting} to a folder`;
    default: {
      const right = access === 'read' ? 'read' : 'write and search';
      return `let ${self()} ${right} ${place}${there ? ` (${ownerOf(there.stats)})` : ''}, or set ${setting}`;
    }
  }
}

function pathOf(cause: unknown): string | undefined {
  for (const error of chainOf(cause)) {
    const { path } = error as NodeJS.ErrnoException;
    if (path !== undefined) return path;
    const told = /(?:IO error: )?(\/.*?): [A-Z][\w/ -]+$/.exec(error.message);
    if (told) return told[1];
  }
  return undefined;
}

/** The path, or what of it there is. */
function nearest(path: string): { readonly path: string; readonly stats: Stats } | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, stats: statSync(at) };
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}

function self(): string {
  const uid = process.getuid?.();
  return uid === undefined ? 'the user that runs Sluice' : `user ${uid} (group ${process.getgid!()})`;
}

function ownerOf({ uid, gid, mode }: Stats): string {
  return `of user ${uid}, group ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
}
