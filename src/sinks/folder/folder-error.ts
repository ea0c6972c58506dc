import { SluiceError } from '../../errors.ts';
import { accessHint, errnoOf, limitOf } from '../../system-errors.ts';

/** What the file system of a folder does not let happen, as an error of a destination. */
export function folderError(cause: unknown, doing: string): SluiceError {
  if (cause instanceof SluiceError && !cause.code.startsWith('STATE_')) return cause;
  const message = `${doing}: ${cause instanceof Error ? cause.message : String(cause)}`;
  const told = { cause, stage: 'destination' } as const;
  const limit = limitOf(cause);
  if (limit !== undefined) return new SluiceError(limit, message, told);
  switch (errnoOf(cause)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS': {
      const hint = accessHint(cause, { setting: 'the path of the destination' });
      return new SluiceError('DESTINATION_PERMISSION', message, { ...told, hint });
    }
    case 'ENOENT': {
      const hint = 'create the folder, or mount it, or correct the path of the destination';
      return new SluiceError('DESTINATION_NOT_FOUND', message, { ...told, hint });
    }
    case 'ENAMETOOLONG':
      return new SluiceError('FILE_NAME_INVALID', message, told);
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP': {
      const hint = 'a file stands where a folder is needed, or the reverse: move it away, or change fileName';
      return new SluiceError('DESTINATION_REFUSED', message, { ...told, hint });
    }
    case 'EFBIG': {
      const hint = 'set maxFileSize to what the file system takes';
      return new SluiceError('DESTINATION_REFUSED', message, { ...told, hint });
    }
    case 'ENOSPC':
    case 'EDQUOT': {
      const hint = 'free space in the folder of the destination, then run again';
      return new SluiceError('DESTINATION_CONNECT_FAILED', message, { ...told, hint });
    }
    default: {
      const hint = 'check the file system of the destination, then run again';
      return new SluiceError('DESTINATION_CONNECT_FAILED', message, { ...told, hint });
    }
  }
}
