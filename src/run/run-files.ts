import type { ResolvedActivation } from '../config/activation.ts';
import {
  dependsOnKind,
  type FileKind,
  type FileName,
  partName,
  resolveFileName,
} from '../config/file-name.ts';
import { extensionOf } from '../config/format-kinds.ts';
import { nameOptions } from '../config/name-options.ts';
import { escapePartition, partitionText } from '../config/partition-name.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { NameOfPart } from '../publish/append/appended-files.ts';
import { changeName } from '../publish/decide-files.ts';
import { Change, type Partition } from '../row-batch.ts';
import type { Series } from '../sinks/rolling-blob-sink.ts';

/** The files that a run writes: which there are, and what they are called. */
export class RunFiles {
  /** Resolved once, from the start of the run. */
  readonly fileName: FileName;
  /** Which files there are, and which rows go into each. */
  readonly series: readonly Series[];
  readonly #folder: string;
  readonly #partitionBy: readonly string[] | undefined;

  constructor(activation: ResolvedActivation, run: Pick<RunRecord, 'run' | 'startedAt'>, kind: FileKind) {
    const { fileName, format, syncMode, destination } = activation;
    this.fileName = resolveFileName({
      ...nameOptions(activation, run, kind),
      template: fileName,
      extension: extensionOf(format),
    });
    this.series = seriesOf(syncMode);
    this.#folder = destination.folder;
    this.#partitionBy = activation.partitionBy;
  }

  /** The full name in the container; parts count from 1. */
  readonly nameOf = (change: Change | undefined, part: number, partition?: Partition): string =>
    this.#name(change, part, partition?.values.map(partitionText));

  /** The same where there is one series. */
  readonly nameOfPart: NameOfPart = (part, values) => this.#name(undefined, part, values?.map(partitionText));

  /**
   * Names of the first part of each file; none where the rows of a run say which
   * partitions there are.
   */
  get firstNames(): string[] {
    return this.#partitionBy === undefined ? this.shownNames : [];
  }

  /** The same for people: where a value comes, with its column. */
  get shownNames(): string[] {
    const values = this.#partitionBy?.map(column => `{${escapePartition(column)}}`);
    return this.series.map(({ change }) => this.#name(change, 1, values));
  }

  #name(change: Change | undefined, part: number, partition: readonly string[] | undefined): string {
    const named = changeName(change);
    return partName(this.fileName, part, {
      folder: this.#folder,
      partition,
      ...(named === undefined ? {} : { change: named }),
    });
  }
}

/** Whether the names are known before it is known what a run is taken against. */
export function areNamesKnown({ runType, fileName }: ResolvedActivation): boolean {
  return runType === 'full_only' || !dependsOnKind(fileName);
}

function seriesOf(syncMode: ResolvedActivation['syncMode']): Series[] {
  if (syncMode === 'difference') {
    return [Change.added, Change.updated, Change.removed].map(change => ({ change, wants: [change] }));
  }
  return [{ wants: syncMode === 'insert' ? [Change.added] : [Change.added, Change.updated] }];
}
