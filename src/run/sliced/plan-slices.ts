import type { ResolvedActivation } from '../../config/activation.ts';
import { type Encoder, isJoinable } from '../../encoders/encoder.ts';
import { SluiceError } from '../../errors.ts';
import type { Column } from '../../row-batch.ts';
import type { KeyRange, RowSource } from '../../sources/source.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import { writesParts } from './sliced-plan.ts';

/** How a run is sliced: by ranges of keys, or, with a reason, not at all. */
export type PlannedSlices =
  | { readonly slices: readonly KeyRange[]; readonly sliceBytes: number; readonly reason?: undefined }
  | { readonly slices?: undefined; readonly reason: string };

/** Rejects where a run cannot be made by the verbs at all. */
export function refuseUnfit({ name, runType, partitionBy, model }: ResolvedActivation): void {
  const refuse = (why: string): never => {
    throw new SluiceError('USAGE', `${name} cannot be exported by begin, slice and finalise: ${why}`, {
      hint: `\`sluice run ${name}\` makes the whole run`,
    });
  };
  if (runType === 'full_then_delta') refuse('runs of full_then_delta compare all rows in one place');
  if (partitionBy !== undefined) refuse('partitionBy groups the rows of the whole source');
  if (model.params !== undefined) refuse('its model has parameters');
}

export async function planSlices(
  activation: ResolvedActivation,
  {
    source,
    mapping,
    createEncoder,
    wanted,
  }: {
    readonly source: RowSource;
    readonly mapping: MappingPlan;
    readonly createEncoder: (columns: readonly Column[]) => Encoder;
    readonly wanted: number | undefined;
  },
): Promise<PlannedSlices> {
  const reason = wanted === 1 ? 'one slice was asked for' : whyOneSlice(activation);
  if (reason !== undefined) return { reason };
  if (!writesParts(activation) && !isJoinable(createEncoder(mapping.written)))
    return { reason: 'files of this format and engine cannot be joined from slices' };
  if (source.keyRanges === undefined)
    return { reason: 'the model is a query, and only a `table` of PostgreSQL is divided' };
  const divided = await source.keyRanges.divideByKey(mapping.fields, wanted);
  if (divided.unfit !== undefined) return { reason: divided.unfit };
  const { ranges, rangeBytes } = divided;
  if (ranges.length === 1) return { reason: 'the table is too small to be divided' };
  return { slices: ranges, sliceBytes: rangeBytes };
}

/** What the configuration tells. */
function whyOneSlice(activation: ResolvedActivation): string | undefined {
  const { consistency, format } = activation;
  if (consistency === 'snapshot')
    return 'consistency is snapshot: slices that are read at different instants need consistency: slice';
  if (writesParts(activation)) return undefined;
  const whole = format.checksums?.find(name => name !== 'crc64');
  return whole && `the ${whole} that format.checksums asks for is one of all bytes in order`;
}
