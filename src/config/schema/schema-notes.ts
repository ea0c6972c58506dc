/** `notes` of the configuration and of an activation. */

import * as z from 'zod';
import { NOTE_CODES } from './note-kinds.ts';

export const notes = z
  .strictObject({
    ignore: z
      .array(z.enum(NOTE_CODES))
      .default([])
      .describe('Codes of notes that `validate` leaves out, since they are known.'),
  })
  .describe('Which notes of `validate` are given.');
