import { EMPTY_DIGEST } from '../../src/baseline/key-table.ts';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { type FileName, partName } from '../../src/config/file-name.ts';
import { extensionOf } from '../../src/config/format-kinds.ts';
import { SluiceError } from '../../src/errors.ts';
import { counted, planned, warned } from '../../src/history/record-steps.ts';
import { NO_COUNTS, type RunCounts, type RunRecord, type RunWarning } from '../../src/history/run-record.ts';
import { AppendedFiles, type NameOfPart, rememberFiles } from '../../src/publish/append/appended-files.ts';
import { changeName } from '../../src/publish/decide-files.ts';
import type { LatestManifest } from '../../src/publish/latest-manifest.ts';
import { toManifestColumn } from '../../src/publish/manifest.ts';
import type { RunPlan, RunProtocol, SealedRun } from '../../src/publish/protocol.ts';
import { DELTA_LOG } from '../../src/publish/roll-forward.ts';
import { Change, type Partition } from '../../src/row-batch.ts';
import { Held } from '../../src/run/held.ts';
import {
  type AppendPlan,
  NOTHING_TO_APPEND_TO,
  planAnew,
  planAppend,
} from '../../src/run/planning/append.ts';
import { planBaseline } from '../../src/run/planning/plan-baseline.ts';
import { blockIds } from '../../src/sinks/block-ids.ts';
import type { BlobStore, BlockLists, ResumePoint, StagedFile } from '../../src/sinks/sink.ts';
import { END } from './published-rows.ts';
import type { StagedName } from './run-facts.ts';
import type { SourceSchema } from './scenario.ts';
import type { VirtualBaseline } from './virtual-baseline.ts';
import type { Delta, Rows, VirtualJournal } from './virtual-disk.ts';
import type { Process } from './world.ts';

export interface SimulatedRunOptions {
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly process: Process;
  readonly store: BlobStore;
  readonly blockLists: BlockLists;
  readonly journal: VirtualJournal;
  readonly baseline: VirtualBaseline;
  readonly source: Rows;
  readonly schema: SourceSchema;
  readonly rowsPerPart: number;
  readonly hasEnd: boolean;
  readonly full: boolean;
  /** Somebody has removed the local state on purpose. */
  readonly wasReset: boolean;
  readonly allowRemovals: boolean;
  /** How often the source fails or somebody cancels. */
  readonly sourceFaults: number;
  readonly onRead: (plan: RunPlan, rows: Rows, known: Rows) => void;
  readonly onStaged: (files: readonly StagedName[]) => void;
  readonly onDecision: () => void;
}

/** What is known once the source is open. */
interface Read {
  readonly plan: RunPlan;
  readonly rows: Rows;
  readonly appended: AppendedFiles | undefined;
}

/** Everything is staged, and the delta log is durable. */
interface Streamed {
  readonly sealed: SealedRun;
  readonly counts: RunCounts;
  readonly warnings: readonly RunWarning[];
}

interface ChangedRow {
  readonly change: Change;
  readonly key: number;
  readonly value: number;
}

/**
 * A run on a handful of rows, by the verbs by which export-run.ts makes one with a
 * database.
 */
export async function simulatedRun(
  protocol: RunProtocol,
  options: SimulatedRunOptions,
): Promise<RunRecord | Held> {
  const { activation, run, process, journal, sourceFaults } = options;
  const { random } = process.world;
  const begun = beginning(options);
  const latest = await protocol.latest(activation);
  const read = await openSource(options, begun.startedAt, latest);
  if (read instanceof Held) return read;
  const { plan } = read;
  const open = await protocol.begin({ run, activation, contentType: 'text/csv', plan, latest });
  const decision = await open.orDrop(async () => {
    process.enter('read the source');
    if (random.chance(sourceFaults)) {
      throw new SluiceError('SOURCE_CONNECTION_LOST', 'the source went away');
    }
    const streamed = await stream(options, read);
    if (streamed instanceof Held) return streamed;
    const { sealed, counts, warnings } = streamed;
    const made = await open.decide(warned(counted(planned(begun, plan), counts), warnings), sealed);
    if (random.chance(sourceFaults)) throw new SluiceError('CANCELLED', 'cancelled at the last moment');
    options.onDecision();
    return made;
  });
  if (decision instanceof Held) {
    await open.drop();
    return decision;
  }
  const record = await open.publish(decision);
  await journal.remember(record);
  await open.forget();
  return record;
}

function beginning({ activation, run, process }: SimulatedRunOptions): RunRecord {
  return {
    run,
    activation: activation.name,
    trigger: 'command',
    state: 'reading',
    runType: activation.runType,
    syncMode: activation.syncMode,
    full: true,
    generation: 0,
    previousGeneration: 0,
    startedAt: process.world.now().toISOString(),
    counts: NO_COUNTS,
    files: [],
    warnings: [],
  };
}

async function openSource(
  options: SimulatedRunOptions,
  snapshotTime: string,
  latest: LatestManifest,
): Promise<Read | Held> {
  const { activation, run, process, schema, full: fullAsked, wasReset, store, baseline } = options;
  process.enter('open the source');
  const fileName = fileNameOf(activation, run);
  const { description, mapping } = schema;
  const local = baseline.state;
  const { manifest: previous } = latest;
  const appended =
    activation.ifExists === 'append' && !fullAsked && local !== undefined
      ? new AppendedFiles({
          activation,
          store,
          nameOf: nameOfPart(activation, fileName),
          state: local,
          previous,
        })
      : undefined;
  const plan = planBaseline({
    activation,
    fullAsked,
    wasReset,
    local,
    latest,
    remembered: 0,
    description,
    mapping,
    gone: await appended?.findAllGone(),
  });
  if (plan instanceof Held) return plan;
  const rows = new Map(options.source);
  const columns = mapping.written.map(toManifestColumn);
  const opened = { ...plan, fileName, snapshotTime, columns };
  const isOvertaken =
    local !== undefined &&
    previous !== undefined &&
    previous.generation >= local.generation &&
    previous.run !== local.run;
  const startsOver = plan.full && (activation.syncMode === 'insert' || isOvertaken);
  options.onRead(opened, rows, startsOver ? new Map() : baseline.rows);
  return { plan: opened, rows, appended: plan.full ? undefined : appended };
}

/**
 * One generation of so many is as an older version would leave it, for the next to carry
 * over.
 */
const OLDER_EACH = 4;
const OLDER_SEED = [1, 2, 3, 4] as const;

/** As `resolveFileName` does it, which is slow for its calendar. */
export function fileNameOf(activation: ResolvedActivation, run: string): FileName {
  const stem = activation.fileName
    .replaceAll('{activation}', activation.name)
    .replaceAll('{run}', run)
    .replaceAll('{column.p}', '{column.0}');
  return { stem, extension: extensionOf(activation.format) };
}

async function stream(options: SimulatedRunOptions, read: Read): Promise<Streamed | Held> {
  const { plan, rows } = read;
  const { fileName } = plan;
  const { activation, run, journal, baseline, allowRemovals } = options;
  const before: Rows = plan.compares ? baseline.rows : new Map();
  if (rows.size === 0 && plan.known > 0 && !allowRemovals) {
    return new Held('SOURCE_EMPTY', 'the source returned no rows', 'allow removals');
  }
  const keepsRemoved = activation.syncMode === 'insert';
  const changed = compare(before, rows, { keepsRemoved, everyRow: plan.full });
  const { appended: found } = read;
  const staged = await stage(options, fileName, changed, appending(options, read));
  options.onStaged(
    staged.map(({ name, bytes, resumed }) => ({ name, bytes, fromByte: resumed?.bytes ?? 0 })),
  );
  const counts = { ...NO_COUNTS, read: rows.size, written: changed.length };
  const warnings = found?.warnings ?? [];
  if (!plan.keepsState) return { sealed: { staged, baseline: undefined }, counts, warnings };

  const delta: Delta = changed.map(({ change, key, value }) => [
    key,
    change === Change.removed ? undefined : value,
  ]);
  // A baseline that is carried over is written again. With `insert` a key stays as it
  // came first.
  const kept: Delta = [...rows, ...(keepsRemoved ? before : [])];
  await journal.write(run, DELTA_LOG, plan.replacesBaseline ? kept : delta);
  const added = changed.filter(({ change, key }) => change === Change.added && !before.has(key)).length;
  const removed = changed.filter(({ change }) => change === Change.removed).length;
  const { generation, identity, retained } = plan;
  const hashed = generation % OLDER_EACH === 0 ? { seed: OLDER_SEED } : { hashing: plan.hashing };
  const count = before.size + added - removed;
  const { state } = baseline;
  const nameOf = nameOfPart(activation, fileName);
  const appended =
    activation.ifExists === 'append'
      ? { appended: rememberFiles({ activation, state, found, staged, run, generation, nameOf }) }
      : {};
  const next = { generation, run, count, digest: EMPTY_DIGEST, ...hashed, identity, retained, ...appended };
  return { sealed: { staged, found, baseline: next }, counts, warnings };
}

function compare(
  before: Rows,
  after: Rows,
  { keepsRemoved, everyRow }: { readonly keepsRemoved: boolean; readonly everyRow: boolean },
): ChangedRow[] {
  const changed: ChangedRow[] = [];
  for (const [key, value] of after) {
    const old = before.get(key);
    if (old === undefined || everyRow) changed.push({ change: Change.added, key, value });
    else if (old !== value && !keepsRemoved) changed.push({ change: Change.updated, key, value });
  }
  if (keepsRemoved) return changed;
  for (const [key, value] of before)
    if (!after.has(key)) changed.push({ change: Change.removed, key, value });
  return changed;
}

function nameOfPart({ destination }: ResolvedActivation, fileName: FileName): NameOfPart {
  return (part, values) =>
    partName(fileName, part, { folder: destination.folder, partition: values?.map(String) });
}

function appending(
  { activation, store, blockLists, hasEnd, baseline: { state } }: SimulatedRunOptions,
  { plan: { fileName, columns, hasSameColumns }, appended }: Read,
): (partition: Partition | undefined) => Promise<AppendPlan> {
  const { name, ifExists, format } = activation;
  const nameOf = (part: number): string => nameOfPart(activation, fileName)(part, undefined);
  return async partition => {
    if (ifExists !== 'append') return NOTHING_TO_APPEND_TO;
    if (appended === undefined)
      return partition ? NOTHING_TO_APPEND_TO : planAnew({ store, activation: name, nameOf, state });
    const values = partition?.values;
    const file = { files: appended, values, activation: name, blockLists, format };
    return planAppend({ ...file, hasEnd, columns, hasSameColumns });
  };
}

interface Part {
  readonly part: number;
  readonly rows: readonly ChangedRow[];
  readonly resumed?: ResumePoint;
}

function partsOf(
  rows: readonly ChangedRow[],
  rowsPerPart: number,
  { resume, firstPart }: AppendPlan,
  writesEmpty: boolean,
): Part[] {
  const parts: Part[] = [];
  let at = 0;
  if (resume !== undefined) {
    const own = rows.slice(0, Math.max(0, rowsPerPart - resume.rows));
    at = own.length;
    if (at > 0 || resume.mustWrite) parts.push({ part: resume.part, rows: own, resumed: resume });
  } else if (rows.length === 0 && writesEmpty) {
    parts.push({ part: firstPart, rows });
  }
  for (
    let part = resume === undefined ? firstPart : resume.part + 1;
    at < rows.length;
    part++, at += rowsPerPart
  )
    parts.push({ part, rows: rows.slice(at, at + rowsPerPart) });
  return parts;
}

async function stage(
  options: SimulatedRunOptions,
  fileName: FileName,
  changed: readonly ChangedRow[],
  planOf: (partition: Partition | undefined) => Promise<AppendPlan>,
): Promise<StagedFile[]> {
  const { activation, run, rowsPerPart, store, hasEnd } = options;
  const { syncMode, onEmpty, destination, ifExists } = activation;
  const series: readonly { readonly change?: Change; readonly wants: readonly Change[] }[] =
    syncMode === 'difference'
      ? [Change.added, Change.updated, Change.removed].map(change => ({ change, wants: [change] }))
      : [{ wants: [Change.added, Change.updated] }];
  const staged: StagedFile[] = [];
  const written = changed.filter(row => series.some(({ wants }) => wants.includes(row.change)));
  const all = partitionsOf(activation, written).flatMap(partition =>
    series.map(({ change, wants }) => ({ partition, change, wants })),
  );
  for (const { partition, change, wants } of all) {
    const append = await planOf(partition);
    const wanted = written.filter(row => wants.includes(row.change) && isOf(partition, row));
    const named = changeName(change);
    const writesEmpty = (onEmpty === 'write' && append.firstPart === 1) || append.mustWrite;
    for (const { part, rows, resumed } of partsOf(wanted, rowsPerPart, append, writesEmpty)) {
      const name = partName(fileName, part, {
        folder: destination.folder,
        partition: partition?.values.map(String),
        ...(named === undefined ? {} : { change: named }),
      });
      const idOf = blockIds({ runId: run, fileIndex: staged.length, attempt: 0 });
      const ids = [...(resumed?.blockIds ?? [])];
      let bytes = resumed?.bytes ?? 0;
      // Two rows a block; a file without rows has no block, as NDJSON has none.
      const blocks: string[] = [];
      for (let at = 0; at < rows.length; at += 2)
        blocks.push(
          rows
            .slice(at, at + 2)
            .map(({ key, value }) => `${key} ${value}\n`)
            .join(''),
        );
      if (ifExists === 'append' && hasEnd) blocks.push(END);
      for (const text of blocks) {
        const block = Buffer.from(text);
        const id = idOf(ids.length);
        await store.stageBlock(name, id, block);
        ids.push(id);
        bytes += block.length;
      }
      staged.push({
        name,
        part,
        blockIds: ids,
        rows: (resumed?.rows ?? 0) + rows.length,
        bytes,
        checksums: {},
        ...(change === undefined ? {} : { change }),
        ...(partition && { partition }),
        ...(resumed === undefined ? {} : { resumed }),
      });
    }
  }
  return staged;
}

const PARTITIONS = 3;

/** Those that have rows; the only one where files are not partitioned. */
function partitionsOf(
  { partitionBy }: ResolvedActivation,
  rows: readonly ChangedRow[],
): (Partition | undefined)[] {
  if (partitionBy === undefined) return [undefined];
  const numbers = new Set(rows.map(({ key }) => key % PARTITIONS));
  return [...numbers].map((number, index) => ({ index, values: [String(number)] }));
}

function isOf(partition: Partition | undefined, { key }: ChangedRow): boolean {
  return partition === undefined || partition.values[0] === String(key % PARTITIONS);
}
