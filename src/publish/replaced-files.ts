import type { ResolvedActivation } from '../config/activation.ts';
import { fileKind } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import { fewNames } from '../few-names.ts';
import { fewWarnings } from '../history/few-warnings.ts';
import type { RunWarning } from '../history/run-record.ts';
import type { BlobProperties, BlobStore } from '../sinks/sink.ts';

/**
 * Says in the metadata of a file whether it holds every row or the changes of a delta
 * run.
 */
export const KIND_METADATA = 'sluice_kind';

export interface ReplacingRun {
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly full: boolean;
  /** The generation that was published last. */
  readonly previousGeneration: number;
}

type Metadata = BlobProperties['metadata'];

/**
 * What a run replaces, by content or as a stale part, that somebody may not have read
 * yet.
 */
export class ReplacedFiles {
  readonly #run: ReplacingRun;
  readonly #foreign: string[] = [];
  readonly #others: { readonly name: string; readonly owner: string; readonly run: string | undefined }[] =
    [];
  readonly #deltas: { readonly name: string; readonly run: string | undefined }[] = [];

  constructor(run: ReplacingRun) {
    this.#run = run;
  }

  /** Looks at a blob that the run is about to replace. */
  add(name: string, { metadata }: Pick<BlobProperties, 'metadata'>): void {
    const owner = metadata['sluice'];
    const run = metadata['run'];
    if (owner === undefined) this.#foreign.push(name);
    else if (owner !== this.#run.activation.name) this.#others.push({ name, owner, run });
    else if (isUnreadDelta(metadata, this.#run)) this.#deltas.push({ name, run });
  }

  /**
   * Throws where the activation says that none of it may be replaced: DELTA_OVERWRITTEN
   * or DESTINATION_EXISTS.
   */
  refuse(): void {
    if (this.#run.activation.onDeltaOverwrite !== 'fail') return;
    if (this.#deltas.length > 0) {
      const message = `${this.#describeDeltas()}, which this run would replace, and onDeltaOverwrite is fail`;
      throw new SluiceError('DELTA_OVERWRITTEN', message, { stage: 'destination' });
    }
    const [other] = this.#others;
    if (other === undefined) return;
    const message = `${other.name} was written by activation ${other.owner}, and onDeltaOverwrite is fail`;
    throw new SluiceError('DESTINATION_EXISTS', message, {
      stage: 'destination',
      hint: 'give each activation names of its own, or take the file away; or set onDeltaOverwrite: warn',
    });
  }

  get warnings(): RunWarning[] {
    const foreign = this.#foreign.map(name => `${name} was overwritten, which Sluice had not written`);
    const others = this.#others.map(
      ({ name, owner, run }) =>
        `${name} was overwritten, which activation ${owner} had written${run === undefined ? '' : ` in run ${run}`}`,
    );
    const overwritten = [...foreign, ...others].map(
      (message): RunWarning => ({ code: 'FOREIGN_BLOB_OVERWRITTEN', message }),
    );
    const warnings = [...fewWarnings(overwritten)];
    if (this.#deltas.length > 0) {
      const message = `${this.#describeDeltas()}, which this run replaced: who had not read it before lacks its rows; {run} in fileName gives each delta a name of its own`;
      warnings.push({ code: 'DELTA_OVERWRITTEN', message });
    }
    return warnings;
  }

  #describeDeltas(): string {
    const runs = [...new Set(this.#deltas.map(({ run }) => run ?? 'of another time'))].sort();
    const names = this.#deltas.map(({ name }) => name);
    const [one = ''] = runs;
    return `${fewNames(names)} held what run ${runs.length > 1 ? `${one} and later ones` : one} had exported`;
  }
}

/**
 * Refuses what a run is sure to replace and must not, before a row is read; `names` are
 * of its first parts.
 */
export async function refuseBeforeReading(
  store: Pick<BlobStore, 'head'>,
  names: readonly string[],
  run: ReplacingRun,
): Promise<void> {
  const { onDeltaOverwrite, onEmpty, ifExists } = run.activation;
  // A run that may write nothing may replace nothing.
  const isSure = onEmpty === 'write' && (run.full || ifExists !== 'append');
  if (onDeltaOverwrite !== 'fail' || !isSure) return;
  const replaced = new ReplacedFiles(run);
  for (const name of names) {
    const there = await store.head(name);
    if (there !== undefined) replaced.add(name, there);
  }
  replaced.refuse();
}

/**
 * Whether consumers lack rows that they have not read from the file before it is
 * replaced: a delta, and before a delta also the full export. A full run holds all that
 * an earlier full run held.
 */
function isUnreadDelta(
  metadata: Metadata,
  { activation, run, full, previousGeneration }: ReplacingRun,
): boolean {
  if (metadata['run'] === run) return false;
  if (full) return kindOf(metadata, activation) === 'delta';
  // Never published: its rows come again. A file that is appended to keeps its rows, and
  // what it replaces holds none.
  return activation.ifExists !== 'append' && !(Number(metadata['generation']) > previousGeneration);
}

/** The kind of a file that an older version wrote, as well as its generation shows it. */
function kindOf(metadata: Metadata, { runType }: ResolvedActivation): string {
  const isFirst = runType === 'full_only' || metadata['generation'] === '1';
  return metadata[KIND_METADATA] ?? fileKind(isFirst);
}
