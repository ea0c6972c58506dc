import type { Told } from './told.ts';

/** What generic webhooks are posted. */
export function genericMessage({ notification, link }: Told): Record<string, unknown> {
  return { version: 1, ...notification, ...(link !== undefined && { link }) };
}
