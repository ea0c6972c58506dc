import type { BaselineState, Retained } from '../../baseline/baseline.ts';
import { isKnownHashing, newRowHashing } from '../../baseline/row-hashing.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import type { RunWarning } from '../../history/run-record.ts';
import type { BaselinePlan } from '../../publish/baseline-plan.ts';
import type { LatestManifest } from '../../publish/latest-manifest.ts';
import { type PublishedBaseline, publishedBaseline } from '../../publish/manifest.ts';
import type { SourceDescription } from '../../sources/source.ts';
import {
  type BaselineIdentity,
  describeChanges,
  hasSameColumns,
  hasSameKey,
  identityOf,
  parseIdentity,
  placesOfRetained,
  retainsEnough,
  serializeIdentity,
} from '../../transforms/baseline-identity.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import { Held } from '../held.ts';
import { compareHistory, positionToKeep } from './source-history.ts';

export interface BaselinePlanOptions {
  readonly activation: ResolvedActivation;
  readonly fullAsked: boolean;
  readonly local: BaselineState | undefined;
  /** Somebody has removed the local state on purpose. */
  readonly wasReset?: boolean;
  readonly latest: LatestManifest;
  /**
   * The newest generation that the local history knows, for runs without a baseline; 0
   * where it knows none.
   */
  readonly remembered: number;
  /** The latest backup of the state, where a run that has lost it may want it. */
  readonly backup?: Backup | undefined;
  readonly description: SourceDescription;
  readonly mapping: MappingPlan;
  /** What is gone from the destination, where that leaves nothing to add changes to. */
  readonly gone?: string | undefined;
}

export type Backup = Pick<BaselineState, 'generation' | 'run'>;

/**
 * Decides between a full run and a delta. Returns what holds the run where the state is
 * lost or the source has moved. Throws SCHEMA_CHANGED, STATE_STALE or DESTINATION_RESET.
 */
export function planBaseline(options: BaselinePlanOptions): BaselinePlan | Held {
  const { activation, local, remembered } = options;
  const { manifest: latest, damage } = options.latest;
  const keepsState = activation.runType === 'full_then_delta';
  const remoteGeneration = latest?.generation ?? 0;
  const localGeneration = keepsState ? (local?.generation ?? 0) : remembered;
  const previousGeneration = Math.max(localGeneration, remoteGeneration);
  const identity = identityOf(options.mapping, activation.syncMode === 'insert');
  const common = {
    keepsState,
    previousGeneration,
    generation: previousGeneration + 1,
    identity: serializeIdentity(identity),
  };
  if (keepsState && local !== undefined) {
    const compared = planAgainst(local, identity, options);
    return compared instanceof Held ? compared : { ...common, ...compared };
  }

  const published =
    keepsState && !options.wasReset && latest
      ? publishedBaseline(latest, activation.parameterSet?.name)
      : undefined;
  const warnings = published ? lostState(published, options) : damageWarning(damage);
  if (warnings instanceof Held) return warnings;
  return {
    ...common,
    full: true,
    compares: false,
    hasSameColumns: false,
    known: published?.keys ?? 0,
    hashing: newRowHashing(),
    replacesBaseline: true,
    retained: wantedOf(activation),
    removedPlaces: undefined,
    position: options.description.position,
    warnings,
  };
}

/** What there is to retain of each row. */
function wantedOf({ syncMode, removedRows }: ResolvedActivation): Retained {
  if (syncMode !== 'difference') return 'nothing';
  return removedRows === 'values' ? 'row' : 'key';
}

/** The destination knows a baseline, and this machine has none. */
function lostState(
  published: PublishedBaseline,
  { activation, fullAsked, backup }: BaselinePlanOptions,
): RunWarning[] | Held {
  if (fullAsked) return [];
  const { name, onStateLost, dataDirectory } = activation;
  const { generation, run } = published;
  const message = `the destination has generation ${generation} of ${name}, by run ${run}, and ${dataDirectory} has no state of it`;
  if (onStateLost === 'hold') return new Held('STATE_LOST', message, wayBack(name, published, backup));
  return [
    { code: 'STATE_LOST', message: `${message}: this run is a full one, and what is gone is not reported` },
  ];
}

/** How a state comes back that has to be the published one. */
function wayBack(name: string, { generation, run }: Backup, backup: Backup | undefined): string {
  const full = `\`sluice run ${name} --full\` exports every row and starts a new baseline`;
  if (backup === undefined) return `put the data directory back; or ${full}`;
  if (backup.generation === generation && backup.run === run)
    return `\`sluice state restore ${name}\` restores the backup of generation ${generation}; or ${full}`;
  return `put the data directory back; the backup in the container, of generation ${backup.generation}, is too old; or ${full}`;
}

type Comparison = Omit<BaselinePlan, 'keepsState' | 'previousGeneration' | 'generation' | 'identity'>;

function planAgainst(
  local: BaselineState,
  identity: BaselineIdentity,
  options: BaselinePlanOptions,
): Comparison | Held {
  const { activation, fullAsked, description } = options;
  const { name, onSchemaChange } = activation;
  const isInsert = identity.keysOnly;
  const wanted = wantedOf(activation);
  const before = parseIdentity(local.identity);
  if (!fullAsked && !isKnownHashing(local)) throw unknownHashing(name, local);
  const isComparable = before !== undefined && hasSameKey(before, identity) && isKnownHashing(local);
  const published = fullAsked ? [] : publishedSince(local, options);
  const damaged = published.length === 0 ? damageWarning(options.latest.damage) : [];
  const moved = fullAsked ? [] : movesSince(local, options);
  if (moved instanceof Held) return moved;
  const warnings: RunWarning[] = [...published, ...damaged, ...moved];
  // Whatever source `insert` reads, it knows the keys that it has exported.
  let full =
    fullAsked ||
    local.distrusted !== undefined ||
    published.length > 0 ||
    (!isInsert && moved.some(({ code }) => code === 'SOURCE_MOVED'));

  const isOther = !isComparable || !hasSameColumns(before, identity);
  const isShort = !retainsEnough(local.retained, wanted) || (before?.keysOnly === true && !isInsert);
  if (isOther || isShort) {
    const change = isOther ? describeChanges(before, identity) : 'it was kept for another sync mode';
    const message = `the baseline of ${name} is not of rows as they are now: ${change}`;
    if (onSchemaChange === 'fail' && !fullAsked)
      throw new SluiceError('SCHEMA_CHANGED', message, { stage: 'diff' });
    full ||= !(isInsert && isComparable);
    const missing = unreported(local, isComparable, activation);
    const then = full ? 'this run is a full one and makes a new baseline' : 'rows with new keys are written';
    if (!fullAsked || missing !== '')
      warnings.push({ code: 'COLUMNS_CHANGED', message: `${message}: ${then}${missing}` });
  }
  // A full run of `insert` starts over: every row is written, and none is ever removed.
  // What is gone since a state that another one has overtaken has been reported in part.
  const known = overtaken(local, options);
  const compares = isComparable && !(full && (isInsert || known !== undefined));
  const removedPlaces =
    compares && local.retained !== 'nothing'
      ? placesOfRetained(before, identity, { retained: local.retained, wanted })
      : undefined;
  const placesItsRows =
    options.mapping.partitionFields?.every(place => removedPlaces?.[place] !== undefined) ?? true;
  return {
    full,
    compares,
    hasSameColumns: !isOther,
    known: known ?? local.count,
    hashing: (compares ? local.hashing : undefined) ?? newRowHashing(),
    replacesBaseline: full || local.hashing === undefined,
    retained: full ? wanted : local.retained,
    // Whose partition is not known is in no file of one.
    removedPlaces: placesItsRows ? removedPlaces : undefined,
    position: positionToKeep(local.position, description.position),
    warnings,
  };
}

/** Keys of the baseline that was published last, where that is another one. */
function overtaken(
  local: BaselineState,
  { activation, latest: { manifest: latest } }: BaselinePlanOptions,
): number | undefined {
  if (latest === undefined || latest.generation < local.generation) return undefined;
  const published = publishedBaseline(latest, activation.parameterSet?.name);
  return published?.run === local.run ? undefined : (published?.keys ?? local.count);
}

/** What a new baseline cannot take over from the old one. */
function unreported(
  { count, retained }: BaselineState,
  isComparable: boolean,
  activation: ResolvedActivation,
): string {
  if (!isComparable) {
    const then =
      activation.syncMode === 'insert'
        ? 'every row is exported again'
        : 'rows that are gone are not reported';
    return `; its ${count} keys cannot be looked up any more, so that ${then}`;
  }
  if (retainsEnough(retained, wantedOf(activation))) return '';
  return retained === 'key'
    ? '; rows that are gone are written with their key alone, since it kept no more of them'
    : '; rows that are gone are counted and not written, since it kept neither their key nor their values';
}

/**
 * What has become of the destination since the baseline was published. Throws STATE_STALE
 * where another state has moved on from it, and DESTINATION_RESET.
 */
function publishedSince(
  local: BaselineState,
  { activation, latest: { manifest: latest, damage }, backup, gone }: BaselinePlanOptions,
): RunWarning[] {
  const { name, manifest, onDestinationReset, parameterSet } = activation;
  // The runs of a set count for themselves: such a baseline is older, and may be of
  // another query.
  if (latest !== undefined && latest.set !== parameterSet?.name) {
    const message = `the last run of ${name} had parameters, and the query has none now: this run is a full one`;
    return [{ code: 'COLUMNS_CHANGED', message }];
  }
  const remote = latest?.generation ?? 0;
  // The same number by another run: the destination was reset and built up again since
  // this state was saved.
  if (
    latest !== undefined &&
    (remote > local.generation || (remote === local.generation && latest.run !== local.run))
  ) {
    const message = `the destination has generation ${remote} of ${name}, by run ${latest.run}; the local state is at ${local.generation}, by run ${local.run}`;
    const published = publishedBaseline(latest, activation.parameterSet?.name);
    if (latest.runType === 'full_then_delta' || (published && published.run !== local.run))
      throw new SluiceError('STATE_STALE', message, {
        stage: 'state',
        hint: wayBack(name, published ?? latest, backup),
      });
    // Runs of type full_only keep no state. What they exported and has gone since cannot
    // be known.
    return [
      {
        code: 'STATE_STALE',
        message: `${message}, and what came after it are full exports: this run is one too`,
      },
    ];
  }
  const isBehind = manifest && remote < local.generation;
  if (!isBehind && gone === undefined) return [];
  const seen = latest === undefined ? `has no manifest of ${name}` : `is at generation ${remote} of ${name}`;
  const message = isBehind
    ? `${damage ?? `the destination ${seen}`}, though the local state is at generation ${local.generation}`
    : gone!;
  if (onDestinationReset === 'fail')
    throw new SluiceError('DESTINATION_RESET', message, { stage: 'destination' });
  return [{ code: 'DESTINATION_RESET', message: `${message}: this run is a full one` }];
}

/** What has become of the source since the baseline was read from it. */
function movesSince(
  local: BaselineState,
  { activation: { name, onSourceMoved, syncMode }, description }: BaselinePlanOptions,
): RunWarning[] | Held {
  const move = compareHistory(local.position, description.position);
  if (move === undefined) return [];
  if (move.what === 'failedOver') return [{ code: 'SOURCE_FAILED_OVER', message: move.message }];
  if (onSourceMoved === 'hold') {
    const full = `\`sluice run ${name} --full\` exports every row`;
    return new Held(
      'SOURCE_MOVED',
      move.message,
      `run again once the source has caught up, or point to the right one; if it is meant, ${full}`,
    );
  }
  const then = syncMode === 'insert' ? 'rows with new keys are written' : 'this run is a full one';
  return [{ code: 'SOURCE_MOVED', message: `${move.message}: ${then}` }];
}

function damageWarning(damage: string | undefined): RunWarning[] {
  if (damage === undefined) return [];
  return [{ code: 'DESTINATION_RESET', message: `${damage}: this run does not go by it` }];
}

function unknownHashing(name: string, { hashing }: BaselineState): SluiceError {
  const message = `the baseline of ${name} was made by another version of Sluice: it is hashed by ${hashing?.function}`;
  return new SluiceError('STATE_STALE', message, {
    stage: 'state',
    hint: 'run with the version that made it; or run with --full, which makes a new baseline',
  });
}
