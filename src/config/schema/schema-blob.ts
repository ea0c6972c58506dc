import * as z from 'zod';
import { text } from './values.ts';

const METADATA_NAME = /^(?!(?:run|generation|part|sluice.*)$)[A-Za-z_][A-Za-z0-9_]{0,127}$/i;
const TAG_TEXT = /^[A-Za-z0-9 +\-./:=_]*$/;

export const blob = z
  .strictObject({
    contentType: text().max(256).exactOptional().describe('Content type; the default is that of the format.'),
    cacheControl: text().max(256).exactOptional().describe('`Cache-Control` header of the blob.'),
    metadata: z
      .record(
        z.string().regex(METADATA_NAME, {
          error:
            'a name of letters, digits and _, other than run, generation, part and sluice… which Sluice writes',
        }),
        z.string().regex(/^[\x20-\x7e]*$/, { error: 'text of printable ASCII characters' }),
      )
      .exactOptional()
      .describe('Metadata of the blob, as names and values.'),
    tags: z
      .record(
        z.string().min(1).max(128).regex(TAG_TEXT, { error: 'letters, digits, space and + - . / : = _' }),
        z.string().max(256).regex(TAG_TEXT, { error: 'letters, digits, space and + - . / : = _' }),
      )
      .refine(tags => Object.keys(tags).length <= 10, { error: 'at most 10 tags' })
      .exactOptional()
      .describe('Index tags of the blob, at most 10; writing them needs the `t` permission.'),
    accessTier: z
      .enum(['Hot', 'Cool', 'Cold', 'Archive'])
      .exactOptional()
      .describe('Access tier of the blob.'),
    encryptionScope: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{1,61})[A-Za-z0-9]$/, {
        error: 'the name of an encryption scope, 3 to 63 characters',
      })
      .exactOptional()
      .describe('Encryption scope that the blob is written with.'),
  })
  .describe('Properties that every file gets.');
