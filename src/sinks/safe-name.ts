import { SluiceError } from '../errors.ts';

/**
 * Fails with FILE_NAME_INVALID where a name would be taken for a path that leads
 * elsewhere.
 */
export function refuseUnsafeName(name: string): void {
  if (name === '' || /[\\\p{Cc}]/u.test(name) || name.split('/').some(part => /^\.{0,2}$/.test(part))) {
    throw new SluiceError('FILE_NAME_INVALID', `${JSON.stringify(name)} cannot be the name of a file`, {
      stage: 'destination',
    });
  }
}
