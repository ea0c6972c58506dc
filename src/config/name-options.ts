import type { ResolvedActivation } from './activation.ts';
import type { FileKind, FileNameOptions } from './file-name.ts';
import type { BoundParameters } from './parameters/parameter-types.ts';
import { partitionText } from './partition-name.ts';

/**
 * What the placeholders of names stand for in a run. `startedAt` is an instant of ISO
 * 8601.
 */
export function nameOptions(
  { name, model, syncMode, timezone, timestampOffsetMs, partitionBy, parameters }: ResolvedActivation,
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
    ...(parameters && { params: namesOfValues(parameters) }),
  };
}

function namesOfValues(parameters: BoundParameters): Readonly<Record<string, string>> {
  const known = Object.entries(parameters).filter(([, { value }]) => value !== null);
  return Object.fromEntries(known.map(([name, { value }]) => [name, partitionText(value)]));
}
