import type * as z from 'zod';
import { keyText } from './located-tree.ts';

/**
 * Where a kept document is not what its schema says, in one line, without any of its
 * values.
 */
export function describeMisfit({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return 'it has another form';
  const place = keyText(issue.path.map(key => (typeof key === 'number' ? key : String(key))));
  return place === '' ? issue.message : `${place}: ${issue.message}`;
}
