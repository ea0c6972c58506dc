import type { ResolvedActivation } from '../../config/activation.ts';
import { fileKind } from '../../config/file-name.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { AppendedFiles } from '../../publish/append/appended-files.ts';
import type { LatestManifest } from '../../publish/latest-manifest.ts';
import { toManifestColumn } from '../../publish/manifest.ts';
import type { RunPlan } from '../../publish/protocol.ts';
import type { BlobStore } from '../../sinks/sink.ts';
import type { RowSource, SourceDescription } from '../../sources/source.ts';
import type { Workspace } from '../../state/workspace.ts';
import { type MappingPlan, planMapping } from '../../transforms/map-columns.ts';
import { closingOnAbort } from '../close-on-abort.ts';
import { Held } from '../held.ts';
import { RunFiles } from '../run-files.ts';
import { rememberedGeneration } from '../warnings/earlier-runs.ts';
import { sasExpiresWarning } from '../warnings/outcome-warnings.ts';
import { backupThatMayHelp } from './backup-that-may-help.ts';
import { type Detection, planDetection } from './change-detection.ts';
import { keyOf } from './model-key.ts';
import { planBaseline } from './plan-baseline.ts';
import { type PlannedReaders, planReaders } from './readers.ts';

export interface PlanRunOptions {
  readonly activation: ResolvedActivation;
  readonly record: Pick<RunRecord, 'run' | 'startedAt'>;
  readonly fullAsked: boolean;
  /** It is opened here. Whoever owns it closes it. */
  readonly source: RowSource;
  readonly store: BlobStore;
  readonly workspace: Pick<Workspace, 'baseline' | 'wasReset'>;
  readonly latest: LatestManifest;
  readonly signal: AbortSignal;
  /** By the clock of the destination: credentials expire by it. */
  readonly serviceTime: Date;
}

/**
 * The source is open, and it is known what the run is taken against and which files it
 * writes.
 */
export interface PlannedExport {
  readonly description: SourceDescription;
  readonly mapping: MappingPlan;
  readonly files: RunFiles;
  readonly plan: RunPlan;
  /** The files that the run appends to; absent where it begins its files. */
  readonly appended: AppendedFiles | undefined;
  /** How changes are found; absent where nothing but reading every row was asked for. */
  readonly detection: Detection | undefined;
  /** How the rows are read; absent where nothing but one reader was asked for. */
  readonly readers: PlannedReaders | undefined;
}

/** Opens the source, maps its columns and decides what the run is taken against. */
export async function planRun(options: PlanRunOptions): Promise<PlannedExport | Held> {
  const { activation, record, fullAsked, source, store, workspace, latest, signal, serviceTime } = options;
  const { baseline, wasReset } = workspace;
  const local = baseline.state;
  const description = await closingOnAbort(source, signal, () => source.describe());
  const { name: modelName } = activation.model;
  const primaryKey = keyOf(activation, description);
  const { columns } = description;
  const mapping = planMapping({ ...activation, modelName, columns, primaryKey });
  const deltaFiles = new RunFiles(activation, record, fileKind(false));
  const previous = latest.manifest;
  const appended =
    activation.ifExists === 'append' && !fullAsked && local !== undefined
      ? new AppendedFiles({ activation, store, nameOf: deltaFiles.nameOfPart, state: local, previous })
      : undefined;
  const plan = planBaseline({
    activation,
    fullAsked,
    local,
    wasReset,
    latest,
    remembered: activation.runType === 'full_only' ? await rememberedGeneration(activation) : 0,
    backup: await backupThatMayHelp({ activation, local, latest: previous, store }),
    description,
    mapping,
    gone: await appended?.findAllGone(),
  });
  if (plan instanceof Held) return plan;
  const { snapshotTime } = description;
  const detection = await planDetection({ activation, source, mapping, plan, local, snapshotTime });
  const readers = await closingOnAbort(source, signal, () => planReaders(activation, source, mapping));
  const files = new RunFiles(activation, record, fileKind(plan.full));
  const expires = sasExpiresWarning(activation, serviceTime);
  return {
    description,
    mapping,
    files,
    plan: {
      ...plan,
      warnings: expires ? [expires, ...plan.warnings] : plan.warnings,
      snapshotTime: snapshotTime.toISOString(),
      fileName: files.fileName,
      columns: mapping.written.map(toManifestColumn),
    },
    appended: plan.full ? undefined : appended,
    detection,
    readers,
  };
}
