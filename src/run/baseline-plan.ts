import type { BaselineState, Retained } from '../baseline/baseline.ts';
import { isKnownHashing, newRowHashing, type RowHashing } from '../baseline/row-hashing.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import type { SourceDescription } from '../sources/source.ts';
import type { MappingPlan } from '../transforms/map-columns.ts';
import type { LatestManifest } from './latest-manifest.ts';
import type { RunWarning } from './run-record.ts';

/** What a run is taken against and what it makes. */
export interface BaselinePlan {
  /** Every row, rather than the changes since the baseline. */
  readonly full: boolean;
  /** Whether the run makes a baseline: run type `full_then_delta`. */
  readonly keepsState: boolean;
  readonly previousGeneration: number;
  readonly generation: number;
  /** Of the baseline that the run makes. */
  readonly hashing: RowHashing;
  /** Whether the run writes all of that baseline, rather than how it differs from the present one. */
  readonly replacesBaseline: boolean;
  readonly identity: string;
  readonly retained: Retained;
  readonly warnings: readonly RunWarning[];
}

export interface BaselinePlanOptions {
  readonly activation: ResolvedActivation;
  readonly fullAsked: boolean;
  readonly local: BaselineState | undefined;
  readonly latest: LatestManifest;
  /** The newest generation that the local history knows, for runs without a baseline; 0 where it knows none. */
  readonly remembered: number;
  readonly description: SourceDescription;
  readonly mapping: MappingPlan;
  /** What is gone from the destination, where that leaves nothing to add changes to. */
  readonly gone?: string | undefined;
}

/** Decides between a full run and a delta. Throws SCHEMA_CHANGED, STATE_STALE or DESTINATION_RESET. */
export function planBaseline(options: BaselinePlanOptions): BaselinePlan {
  const { activation, fullAsked, local, description, mapping, gone, remembered } = options;
  const { manifest: latest, damage } = options.latest;
  const { runType, syncMode, removedRows, onSchemaChange, onDestinationReset, manifest, name } = activation;
  const keepsState = runType === 'full_then_delta';
  const remoteGeneration = latest?.generation ?? 0;
  const localGeneration = keepsState ? (local?.generation ?? 0) : remembered;
  const retained = syncMode !== 'difference' ? 'nothing' : removedRows === 'values' ? 'row' : 'key';
  const identity = identityOf(syncMode === 'insert', retained, description, mapping);
  const warnings: RunWarning[] = [];
  let full = !keepsState || fullAsked || local === undefined;

  if (!full && local !== undefined && local.identity !== identity) {
    const message = `columns, types, key, sync mode or server of ${name} are not those of its baseline`;
    if (onSchemaChange === 'fail') throw new SluiceError('SCHEMA_CHANGED', message, { stage: 'diff' });
    warnings.push({
      code: 'COLUMNS_CHANGED',
      message: `${message}: this run is a full one and a new baseline`,
    });
    full = true;
  }
  if (!full && manifest && latest !== undefined && local !== undefined) {
    // The same number by another run: the destination was reset and built up again since this state was saved.
    const isOther = remoteGeneration === localGeneration && latest.run !== local.run;
    if (remoteGeneration > localGeneration || isOther) {
      const message = `the destination has generation ${remoteGeneration} of ${name}, by run ${latest.run}; the local state is at ${localGeneration}, by run ${local.run}`;
      throw new SluiceError('STATE_STALE', message, { stage: 'state' });
    }
  }
  const isBehind = manifest && remoteGeneration < localGeneration;
  if (!full && (isBehind || gone !== undefined)) {
    const seen =
      latest === undefined ? `has no manifest of ${name}` : `is at generation ${remoteGeneration} of ${name}`;
    const message = isBehind
      ? `${damage ?? `the destination ${seen}`}, though the local state is at generation ${localGeneration}`
      : gone!;
    if (onDestinationReset === 'fail')
      throw new SluiceError('DESTINATION_RESET', message, { stage: 'destination' });
    warnings.push({ code: 'DESTINATION_RESET', message: `${message}: this run is a full one` });
    full = true;
  } else if (damage !== undefined) {
    warnings.push({ code: 'DESTINATION_RESET', message: `${damage}: this run does not go by it` });
  }
  if (!full && local !== undefined && !isKnownHashing(local)) {
    const message = `the baseline of ${name} was made by another version of Sluice: it is hashed by ${local.hashing?.function}`;
    throw new SluiceError('STATE_STALE', message, {
      stage: 'state',
      hint: 'run with the version that made it; or run with --full, which makes a new baseline',
    });
  }
  const previousGeneration = Math.max(localGeneration, remoteGeneration);
  return {
    full,
    keepsState,
    previousGeneration,
    generation: previousGeneration + 1,
    hashing: (full ? undefined : local?.hashing) ?? newRowHashing(),
    replacesBaseline: full || local?.hashing === undefined,
    identity,
    retained,
    warnings,
  };
}

/** Rows can be compared only with rows of which all this was the same. */
function identityOf(
  keysOnly: boolean,
  retained: Retained,
  { dialect }: SourceDescription,
  { fields, written, keyFields }: MappingPlan,
): string {
  return JSON.stringify({
    columns: fields.map(({ name, source, sourceType }) => [name, source, sourceType]),
    written: written.length,
    key: keyFields,
    keysOnly,
    retained,
    dialect,
  });
}
