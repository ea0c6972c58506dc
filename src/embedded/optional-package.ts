import { SluiceError } from '../errors.ts';

export interface OptionalPackage {
  readonly name: string;
  readonly version: string;
}

/**
 * Imports a module of a package that an installation may lack (`npm install
 * --omit=optional`, or a platform that it does not support). Fails with NOT_AVAILABLE,
 * saying what to install; a package that is there but fails to load keeps its own error
 * as the cause.
 */
export async function importOptional<Module>(
  of: OptionalPackage,
  specifier: string,
  purpose: string,
): Promise<Module> {
  try {
    return (await import(specifier)) as Module;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException | undefined)?.code;
    const absent = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    throw new SluiceError(
      'NOT_AVAILABLE',
      `${purpose} needs the package ${of.name}, which ${absent ? 'is not installed' : 'failed to load'}`,
      {
        cause,
        hint: `run: npm install ${of.name}@${of.version}`,
      },
    );
  }
}
