import * as z from 'zod';
import { finding, nameFault, type Rule } from '../checks/rule.ts';
import { normalizeFolder } from '../file-name.ts';

/** What the configuration knows of a kind of destination. */
export interface DestinationKind<Config extends { readonly folder: string }> {
  readonly schema: z.ZodObject;
  readonly rules: readonly Rule<Config>[];
  /**
   * Where files go, as a URL without secrets that is equal for equal places. Undefined
   * where the destination cannot be understood.
   */
  readonly place: (destination: Config) => string | undefined;
  /** With paths that begin in the folder of the configuration. */
  readonly located: (destination: Config, directory: string) => Config;
}

export const folderPrefix = z
  .string()
  .default('')
  .describe('Prefix of the name of every file of this destination, such as `crm/`.');

export const folderRule: Rule<{ readonly folder: string }> = {
  reads: ['folder'],
  check: ({ folder }, { show }) => {
    const fault = nameFault(() => normalizeFolder(folder));
    return fault === undefined
      ? undefined
      : finding(['folder'], `is ${show(['folder'], folder)}; a folder ${fault}`);
  },
};
