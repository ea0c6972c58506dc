import { finished } from 'node:stream/promises';
import type { Assembly } from '../../assemble.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type { BlobStore, StagedFile } from '../../sinks/sink.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import type { RunFiles } from '../run-files.ts';
import { createSink } from '../streaming/create-sink.ts';
import type { SlicedPlan, SliceResult } from './sliced-plan.ts';

export interface SlicesToStage {
  readonly activation: ResolvedActivation;
  readonly assembly: Pick<Assembly, 'createEncoder'>;
  readonly store: BlobStore;
  readonly mapping: MappingPlan;
  readonly files: RunFiles;
}

/**
 * The parts that slices have written, without a gap in their numbers: one that an attempt
 * claimed, and that the attempt which holds did not need, is written without rows.
 */
export async function numberedParts(
  results: readonly SliceResult[],
  plan: SlicedPlan,
  stage: SlicesToStage,
): Promise<readonly StagedFile[]> {
  const parts = new Map<number, StagedFile>(
    results.flatMap(({ files }) => files).map(file => [file.part, file]),
  );
  const needed = stage.activation.onEmpty === 'write' ? 1 : 0;
  const count = Math.max(needed, ...parts.keys());
  const all: StagedFile[] = [];
  for (let part = 1; part <= count; part++)
    all.push(parts.get(part) ?? (await withoutRows(part, plan, stage)));
  return all;
}

/** Its blocks have the same ids and bytes whoever stages them. */
async function withoutRows(
  part: number,
  { run }: SlicedPlan,
  { activation, assembly, store, mapping, files }: SlicesToStage,
): Promise<StagedFile> {
  const sink = createSink({
    activation,
    record: { run },
    store,
    createEncoder: assembly.createEncoder,
    columns: mapping.written,
    files,
    append: { resume: undefined, firstPart: part, mustWrite: true },
    partitionNames: undefined,
  });
  await finished(sink.end());
  return sink.files[0]!;
}
