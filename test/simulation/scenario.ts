import { type ResolvedActivation, resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { Column } from '../../src/row-batch.ts';
import type { SourceDescription } from '../../src/sources/source.ts';
import { type MappingPlan, planMapping } from '../../src/transforms/map-columns.ts';
import type { Random } from './random.ts';
import type { NetworkFaults } from './virtual-blob-store.ts';

/** What a seed is about, chosen once. */
export interface Scenario {
  readonly activations: readonly ResolvedActivation[];
  /** Runs that are started while everything may go wrong. */
  readonly starts: number;
  readonly network: NetworkFaults;
  /** How often a write to the disk fails. */
  readonly diskFaults: number;
  /**
   * How often, of all starts, the process is killed or the power is cut before its end.
   */
  readonly crashes: number;
  /**
   * How often, of all starts, another writer changes something in the container while it
   * runs.
   */
  readonly foreignWrites: number;
  /**
   * The other writer only takes names that a run may be about to write, and gives them
   * back.
   */
  readonly foreignTakesNames: boolean;
  /** How often the state is put back to what it was at an earlier moment. */
  readonly restores: number;
  /** How often more than a week passes between two starts. */
  readonly longPauses: number;
  readonly mayDelete: boolean;
  readonly rowsPerPart: number;
  /** Files that are appended to end with a block of its own. */
  readonly hasEnd: boolean;
  /**
   * How often, of all starts, a consumer moves or archives files that it has read before.
   */
  readonly consumes: number;
}

const KINDS = [
  ['full_only', 'snapshot'],
  ['full_only', 'upsert'],
  ['full_then_delta', 'upsert'],
  ['full_then_delta', 'insert'],
  ['full_then_delta', 'difference'],
] as const;
const NAMES = ['export-{activation}', 'export-{activation}-{run}', 'export-{activation}-{part}'] as const;

/** What is decided beforehand of all activations. */
export interface Decided {
  readonly completes: boolean;
  readonly partitions: boolean;
}

/** `consumers` are chosen for by themselves. */
export function chooseScenario(random: Random, consumers: Random, decided: Decided): Scenario {
  const names = random.chance(0.1) ? ['a', 'b'] : ['a'];
  // Half of the seeds have few faults, since many of them hide one another.
  const often = random.chance(0.5) ? 1 : 0.25;
  const sometimes = (probability: number, amount: number): number =>
    random.chance(probability) ? amount * often : 0;
  const manifest = random.chance(0.9);
  const restores = manifest ? sometimes(0.15, 0.3) : 0;
  // Without manifests nothing tells of an old disk or of files that were taken away too
  // early.
  return {
    activations: names.map(name => chooseActivation(name, { manifest, ...decided }, random, consumers)),
    // An old state is something only after a while.
    starts: 1 + random.below(4) + (restores > 0 ? 4 : 0),
    network: { writes: sometimes(0.7, 0.2), reads: sometimes(0.3, 0.04) },
    diskFaults: sometimes(0.4, 0.08),
    crashes: sometimes(0.8, 0.7),
    foreignWrites: sometimes(0.4, 0.6),
    foreignTakesNames: random.chance(0.3),
    restores,
    longPauses: manifest ? sometimes(0.15, 0.3) : 0,
    mayDelete: random.chance(0.95),
    rowsPerPart: 1 + random.below(4),
    hasEnd: random.chance(0.5),
    consumes: consumers.chance(0.3) ? 0.7 : 0,
  };
}

type Choices = Pick<
  ResolvedActivation,
  | 'runType'
  | 'syncMode'
  | 'fileName'
  | 'manifest'
  | 'completion'
  | 'partitionBy'
  | 'onEmpty'
  | 'ifExists'
  | 'onDestinationReset'
  | 'onDeltaOverwrite'
  | 'onSchemaChange'
  | 'onStateLost'
>;

function chooseActivation(
  name: string,
  { manifest, completes, partitions }: Decided & { readonly manifest: boolean },
  random: Random,
  consumers: Random,
): ResolvedActivation {
  const [runType, syncMode] = random.pick(KINDS);
  const plainName = random.pick(NAMES);
  const fileName = partitions ? `${plainName.replace('-{part}', '')}-{column.p}` : plainName;
  const onSurprise = random.chance(0.5) ? 'fail' : 'full';
  return activationOf(name, {
    runType,
    syncMode,
    fileName,
    manifest,
    ...(partitions && { partitionBy: ['p'] }),
    ...(completes && { completion: { success: `_SUCCESS-${name}` } }),
    onEmpty: random.chance(0.5) ? 'write' : 'skip',
    ifExists: chooseIfExists(plainName, syncMode, random),
    onDestinationReset: onSurprise,
    onDeltaOverwrite: consumers.chance(0.2) ? 'fail' : 'warn',
    onSchemaChange: onSurprise,
    onStateLost: onSurprise === 'fail' ? 'hold' : 'full',
  });
}

function chooseIfExists(fileName: string, syncMode: string, random: Random): Choices['ifExists'] {
  if (syncMode === 'insert' && random.chance(0.6)) return 'append';
  return random.chance(fileName.includes('{run}') ? 0.5 : 0.15) ? 'fail' : 'overwrite';
}

const known = new Map<string, ResolvedActivation>();

/**
 * Parsing a configuration takes longer than a whole seed: that is done once, and each
 * choice is laid over it.
 */
function activationOf(name: string, keys: Choices): ResolvedActivation {
  const there = known.get(name) ?? resolvedOf(name);
  known.set(name, there);
  return { ...there, ...keys };
}

function resolvedOf(name: string): ResolvedActivation {
  const text = `version: 1
sources: { warehouse: { type: postgres, url: 'postgres://reader:secret@db.example.com/crm' } }
destinations:
  lake:
    type: azure-blob
    accountUrl: https://acme.blob.core.windows.net
    container: exports
    folder: crm/
    auth: { sasToken: '?sv=2024-11-04&sp=racwdl&sig=abc%3D' }
models: { rows: { source: warehouse, sql: 'select id, v from rows', primaryKey: [id] } }
activations: { ${name}: { model: rows, destination: lake, fileName: '{activation}', format: { type: csv } } }
`;
  const { config } = parseConfig({ text, environment: {}, directory: '/simulated' });
  return resolveActivation(config, name);
}

const column = (name: string, kind: Column['kind']): Column => ({
  name,
  source: name,
  kind,
  sourceType: kind,
});
const SNAPSHOT_TIME = new Date(Date.UTC(2025, 0, 1));

export interface SourceSchema {
  readonly description: SourceDescription;
  readonly mapping: MappingPlan;
}

/** The columns of the source before and after somebody has changed them. */
export const SCHEMAS: readonly SourceSchema[] = (['int32', 'text'] as const).map(kind => {
  const columns = [column('id', 'int32'), column('v', kind)];
  return {
    description: { columns, dialect: 'postgres 16', snapshotTime: SNAPSHOT_TIME },
    mapping: planMapping({ modelName: 'rows', columns, mapping: undefined, primaryKey: ['id'] }),
  };
});
