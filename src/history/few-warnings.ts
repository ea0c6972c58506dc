import type { RunWarning } from './run-record.ts';

/** Warnings of one kind that are said one by one. */
const MOST = 20;

/** A run may have thousands of files, and all of them the same fault. */
export function fewWarnings(warnings: readonly RunWarning[]): readonly RunWarning[] {
  if (warnings.length <= MOST) return warnings;
  const { code, message } = warnings.at(-1)!;
  const rest = warnings.length - MOST;
  const shown = rest === 1 ? message : `${rest} more of the kind, such as: ${message}`;
  return [...warnings.slice(0, MOST), { code, message: shown }];
}
