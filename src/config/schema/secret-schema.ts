/**
 * The schema of a secret text: it comes out as a `Secret`, so that no later code can
 * print it by accident.
 */

import * as z from 'zod';
import { Secret } from '../secrets.ts';

interface SecretOptions {
  /** What is allowed, for problem messages. */
  readonly expected: string;
  readonly check?: (value: string) => boolean;
}

export function secret(options: SecretOptions) {
  return z
    .string({ error: options.expected })
    .min(1, { error: options.expected })
    .refine(options.check ?? (() => true), { error: options.expected })
    .meta({ writeOnly: true })
    .transform(value => new Secret(value));
}
