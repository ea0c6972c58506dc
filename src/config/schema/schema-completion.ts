/**
 * `completion` of an activation: what tells receivers that a run has published all of its
 * files.
 */

import * as z from 'zod';
import { text } from './values.ts';

export const completion = z
  .strictObject({
    success: text()
      .exactOptional()
      .describe('Name of an empty blob in the deepest folder that all files of the run share.'),
    control: z
      .strictObject({
        name: text().describe(
          'Name, below the folder of the destination; with `{file}` one for each file, beside it. Placeholders as in `fileName`, but for {part}.',
        ),
        content: z
          .string()
          .default('')
          .describe(
            'What it holds. Placeholders: {file} {rows} {bytes} {crc64} {sha256} {md5} of the file; {rows} {bytes} {files} of the run where there is one for all; and those of `name`.',
          ),
      })
      .exactOptional()
      .describe('A control file for each file, or one for all.'),
  })
  .describe(
    'Blobs that are written after all files and before the manifest. Those of an earlier run are deleted before the first file is published.',
  );

export type CompletionConfig = z.output<typeof completion>;
