/** A folder of this machine, as a kind of destination. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { text } from '../schema/values.ts';
import { type DestinationKind, folderPrefix, folderRule } from './destination-kind.ts';

const schema = z
  .strictObject({
    type: z.literal('folder').describe('Files go to a folder of this machine, or one that it has mounted.'),
    path: text().describe(
      'The folder; it must exist. A relative path starts in the folder of the configuration file.',
    ),
    folder: folderPrefix,
  })
  .describe('A local folder.');

export type FolderConfig = z.output<typeof schema>;

export const FOLDER = {
  schema,
  rules: [folderRule],
  place: ({ path }) => pathToFileURL(path).href,
  located: (destination, directory) => ({ ...destination, path: resolve(directory, destination.path) }),
} satisfies DestinationKind<FolderConfig>;
