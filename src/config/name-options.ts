import type { ResolvedActivation } from './activation.ts';
import type { FileKind, FileNameOptions } from './file-name.ts';

/**
 * What the placeholders of names stand for in a run. `startedAt` is an instant of ISO
 * 8601.
 */
export function nameOptions(
  { name, model, syncMode, timezone, timestampOffsetMs, partitionBy }: ResolvedActivation,
  { run, startedAt }: { readonly run: string; readonly startedAt: string },
  kind: FileKind,
): Omit<FileNameOptions, 'template' | 'extension'> {
  return {
    instant: new Date(startedAt),
    timezone,
    timestampOffset: timestampOffsetMs,
    run,
    activation: name,
    model: model.name,
    mode: syncMode,
    kind,
    partitionBy,
  };
}
