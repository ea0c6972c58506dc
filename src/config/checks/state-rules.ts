import { normalizeFolder } from '../file-name.ts';
import type { StateConfig } from '../schema/schema-state.ts';
import { finding, nameFault, type Rule } from './rule.ts';

export const STATE_RULES: readonly Rule<StateConfig>[] = [
  {
    reads: ['destination', 'folder', 'shared'],
    check: ({ destination, folder, shared }) => {
      if (destination !== undefined)
        return shared
          ? finding(['shared'], 'is for a folder that machines have mounted; leave it out with destination')
          : undefined;
      if (folder === undefined)
        return finding(
          [],
          'names no place; expected destination with the name of one, or folder with shared: true',
        );
      return shared
        ? undefined
        : finding(
            ['folder'],
            'is a folder of this machine as far as anybody can tell; expected shared: true beside it where every machine has mounted it, or destination',
          );
    },
  },
  {
    reads: ['destination', 'folder'],
    check: ({ destination, folder }, { show }) => {
      if (destination === undefined || folder === undefined) return undefined;
      const fault = nameFault(() => normalizeFolder(folder));
      return fault === undefined
        ? undefined
        : finding(['folder'], `is ${show(['folder'], folder)}; a folder ${fault}`);
    },
  },
];
