import { createSource, openDestination, readyText } from '../../assemble.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { fileKinds } from '../../config/file-name.ts';
import type { Note } from '../../config/schema/note-kinds.ts';
import { SluiceError } from '../../errors.ts';
import { newRunId } from '../../history/run-id.ts';
import { loadEncoder } from '../../load-encoder.ts';
import { completionNames } from '../../publish/completion.ts';
import { lookBeforeStaging } from '../../publish/look-before.ts';
import { type Column, type ShownColumn, shownColumn } from '../../row-batch.ts';
import type { CredentialFinding } from '../../sinks/sink.ts';
import type { RowSource, SourceDescription } from '../../sources/source.ts';
import { checkDataDirectory } from '../../state/state-folder.ts';
import { type MappingPlan, planMapping } from '../../transforms/map-columns.ts';
import { bindNow } from '../bind-now.ts';
import { concealed } from '../concealed.ts';
import { markSnapshot, unfitError } from '../planning/change-detection.ts';
import { keyOf } from '../planning/model-key.ts';
import { type PlannedReaders, planReaders } from '../planning/readers.ts';
import { RunFiles } from '../run-files.ts';
import { activationNotes } from './notes/activation-notes.ts';

/** What is looked at, in this order. A check whose ground is missing is left out. */
export type CheckName =
  | 'names'
  | 'state'
  | 'source'
  | 'mapping'
  | 'key'
  | 'partitions'
  | 'changes'
  | 'readers'
  | 'format'
  | 'destination'
  | 'sas';

export type Check =
  | { readonly check: CheckName; readonly outcome: 'passed'; readonly message: string }
  /** The run would work, but somebody should know. */
  | { readonly check: CheckName; readonly outcome: 'warned'; readonly message: string }
  /** The run would fail. */
  | { readonly check: CheckName; readonly outcome: 'failed'; readonly error: SluiceError };

export interface Validation {
  readonly activation: string;
  readonly checks: readonly Check[];
  /** What files would hold; empty where it could not be found out. */
  readonly columns: readonly ShownColumn[];
  /**
   * Full names of the blobs that a run now would write first; parts of a split file come
   * on top.
   */
  readonly names: readonly string[];
  /** What works and causes trouble later, without what `notes.ignore` names. */
  readonly notes: readonly Note[];
}

export interface ValidationRequest {
  readonly activation: ResolvedActivation;
  /** Makes no connection. */
  readonly offline: boolean;
  readonly signal: AbortSignal;
  /** The instant that file names are made of; default now. */
  readonly now?: Date;
}

/**
 * Somebody waits for the answer, so a destination that does not answer is given up sooner
 * than in a run.
 */
const DESTINATION_PATIENCE_MS = 5_000;

/**
 * Finds out whether a run would work, without reading a row or writing anything. Rejects
 * for defects only.
 */
export async function validateActivation(request: ValidationRequest): Promise<Validation> {
  const { offline, signal, now = new Date() } = request;
  // Nothing is read: what has no default is NULL.
  const activation = await bindNow(request.activation, undefined, { mayLack: true, now });
  const checks: Check[] = [];
  let names: readonly string[] = [];
  let known: readonly string[] = [];
  await attempt(checks, 'names', signal, () => {
    names = namesOf(activation, now, files => files.shownNames);
    known = namesOf(activation, now, files => files.firstNames);
    return names.join(', ');
  });
  const { name } = activation;
  if (offline) {
    return { activation: name, checks, columns: [], names, notes: activationNotes(activation, []) };
  }
  await attempt(checks, 'state', signal, async () => {
    await checkDataDirectory(activation.dataDirectory, name);
    return `${activation.dataDirectory} can be written`;
  });
  const [{ found, columns, oneReader }, destination] = await Promise.all([
    checkSource(activation, signal),
    checkDestination(activation, { signal, now, names: known }),
  ]);
  const notes = activationNotes(activation, columns, oneReader);
  const all = [...checks, ...found, ...destination].map(check =>
    check.outcome === 'failed' ? { ...check, error: concealed(check.error, activation) } : check,
  );
  return {
    activation: name,
    checks: all,
    columns: columns.map(shownColumn),
    names,
    notes,
  };
}

/** Where the name says what a run exports, both of a full run and of a delta. */
function namesOf(
  activation: ResolvedActivation,
  now: Date,
  of: (files: RunFiles) => readonly string[],
): string[] {
  const record = { run: newRunId(now), startedAt: now.toISOString() };
  const names = fileKinds(activation.runType).flatMap(kind => {
    const files = new RunFiles(activation, record, kind);
    const written = of(files);
    const { fileName } = files;
    const full = kind === 'full';
    return [...written, ...completionNames(activation, { ...record, full }, { names: written, fileName })];
  });
  return [...new Set(names)];
}

interface CheckedSource {
  readonly found: Check[];
  /** What files would hold. */
  readonly columns: readonly Column[];
  /** Why one reader reads, where the source says so. */
  readonly oneReader?: string | undefined;
}

async function checkSource(activation: ResolvedActivation, signal: AbortSignal): Promise<CheckedSource> {
  const { model, where } = activation;
  const found: Check[] = [];
  let source: RowSource | undefined;
  const stop = (): void => void source?.close();
  signal.addEventListener('abort', stop);
  try {
    let known: SourceDescription | undefined;
    await attempt(found, 'source', signal, async () => {
      source = await createSource(activation);
      known = await source.describe();
      const { columns, dialect, connection } = known;
      const filter = where === undefined ? '' : ', filter accepted';
      const place = connection === undefined ? '' : ` at ${connection}`;
      return `${activation.source.name} is ${withoutSettings(dialect)}${place}; model ${model.name} has ${counted(columns, 'column')}${filter}`;
    });
    if (source === undefined || known === undefined) return { found, columns: [] };
    return await checkColumns(activation, { source, description: known, found, signal });
  } finally {
    signal.removeEventListener('abort', stop);
    await source?.close();
  }
}

async function checkColumns(
  activation: ResolvedActivation,
  {
    source,
    description,
    found,
    signal,
  }: {
    readonly source: RowSource;
    readonly description: SourceDescription;
    readonly found: Check[];
    readonly signal: AbortSignal;
  },
): Promise<CheckedSource> {
  const { model, mapping, partitionBy, keepPartitionColumns } = activation;
  const partitions = { partitionBy, keepPartitionColumns };
  // Mapping and key each on their own, so that a mistake in one does not hide one in the
  // other.
  const plan = { modelName: model.name, columns: description.columns };
  let written: readonly Column[] = [];
  await attempt(found, 'mapping', signal, () => {
    written = planMapping({ ...plan, ...partitions, mapping, primaryKey: [] }).written;
    return `${counted(written, 'column')} written`;
  });
  let key: readonly string[] | undefined;
  await attempt(found, 'key', signal, () => {
    const names = keyOf(activation, description);
    planMapping({ ...plan, mapping: [], primaryKey: names });
    key = names;
    return names.length === 0 ? 'none, and none is needed' : names.join(', ');
  });
  if (written.length > 0 && key !== undefined) {
    const mapped = planMapping({ ...plan, ...partitions, mapping, primaryKey: key });
    if (partitionBy !== undefined) {
      await attempt(found, 'partitions', signal, () => describePartitions(partitionBy, source, mapped));
    }
    if (activation.changeDetection !== 'full') {
      await attempt(found, 'changes', signal, () => describeDetection(activation, source, mapped));
    }
  }
  let oneReader: string | undefined;
  if (activation.parallel > 1 && written.length > 0 && key !== undefined) {
    const mapped = planMapping({ ...plan, ...partitions, mapping, primaryKey: key });
    await attempt(found, 'readers', signal, async () => {
      const planned = (await planReaders(activation, source, mapped))!;
      if (!planned.isSmall) oneReader = planned.readers.reason;
      return describeReaders(planned);
    });
  }
  if (written.length > 0) {
    await attempt(found, 'format', signal, async () => {
      const { format } = activation;
      const createEncoder = await loadEncoder(activation);
      createEncoder(written);
      return `${format.type}, engine ${format.engine}`;
    });
  }
  return { found, columns: written, oneReader };
}

function describeReaders({ readers: { count, slices, reason } }: PlannedReaders): string {
  if (reason !== undefined) return `one: ${reason}`;
  return `${count}, which take ${slices} slices; on ${count + 1} connections, one of which holds the snapshot`;
}

async function describePartitions(
  partitionBy: readonly string[],
  { groups }: RowSource,
  { fields, partitionFields = [] }: MappingPlan,
): Promise<string> {
  const columns = partitionFields.map(place => fields[place]!);
  const cost =
    (await groups?.cost(fields, columns)) ?? 'the rows are sorted on the disk of the data directory';
  return `files by ${partitionBy.join(', ')}; ${cost}`;
}

async function describeDetection(
  activation: ResolvedActivation,
  source: RowSource,
  mapping: MappingPlan,
): Promise<string> {
  const found = await markSnapshot({ activation, source, mapping });
  if (!('unfit' in found)) return 'found by xmin: a run reads rows that were written since the last success';
  if (activation.changeDetection === 'xmin') throw unfitError(activation, found.unfit);
  return `every run reads and compares all rows: ${found.unfit}`;
}

async function checkDestination(
  activation: ResolvedActivation,
  {
    signal,
    now,
    names,
  }: { readonly signal: AbortSignal; readonly now: Date; readonly names: readonly string[] },
): Promise<Check[]> {
  const { destination, blob, warnings, completion } = activation;
  const found: Check[] = [];
  let reviewed: readonly CredentialFinding[] = [];
  let encumbered: readonly string[] = [];
  await attempt(found, 'destination', signal, async () => {
    const store = await openDestination(destination, { signal, retryBudgetMs: DESTINATION_PATIENCE_MS });
    try {
      await store.checkAccess();
    } finally {
      // The answer has the time by which credentials expire.
      reviewed = store.reviewCredentials({
        setsTags: Object.keys(blob.tags ?? {}).length > 0,
        deletesCompletion: completion !== undefined,
        warnsBeforeExpiryMs: warnings.sasExpiresWithinMs,
        now: store.serviceTime(now),
      });
    }
    const written: string[] = [];
    for (const name of names) {
      // One that is there is skipped whatever it is.
      if (activation.ifExists !== 'skip' || (await store.head(name)) === undefined) written.push(name);
    }
    encumbered = await lookBeforeStaging(store, written);
    return readyText(destination);
  });
  for (const name of encumbered) {
    const message = `another tool has staged blocks on ${name} and not committed them; a run drops them`;
    found.push({ check: 'destination', outcome: 'warned', message });
  }
  const isRefused = found.some(({ outcome }) => outcome === 'failed');
  // That they are good says nothing where the destination refused them.
  const worthSaying = reviewed.filter(({ outcome }) => !isRefused || outcome !== 'passed');
  return [...found, ...worthSaying.map(finding => ({ check: 'sas' as const, ...finding }))];
}

async function attempt(
  found: Check[],
  check: CheckName,
  signal: AbortSignal,
  act: () => string | Promise<string>,
): Promise<void> {
  try {
    signal.throwIfAborted();
    found.push({ check, outcome: 'passed', message: await act() });
  } catch (cause) {
    if (signal.aborted) {
      const error = new SluiceError('CANCELLED', 'the check was cancelled', { cause });
      found.push({ check, outcome: 'failed', error });
    } else if (cause instanceof SluiceError) {
      found.push({ check, outcome: 'failed', error: cause });
    } else {
      throw cause;
    }
  }
}

/** What the text of values depends on has a number, which says nothing to people. */
function withoutSettings(dialect: string): string {
  return dialect.replace(/, settings \d+$/, '');
}

function counted(things: readonly unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? '' : 's'}`;
}
