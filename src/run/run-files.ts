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
import type { RunRecord } from '../history/run-record.ts';
import { changeName } from '../publish/decide-files.ts';
import { Change } from '../row-batch.ts';
import type { Series } from '../sinks/rolling-blob-sink.ts';
import type { BlobStore } from '../sinks/sink.ts';

/** The files that a run writes: which there are, and what they are called. */
export class RunFiles {
  /** Resolved once, from the start of the run. */
  readonly fileName: FileName;
  /** Which files there are, and which rows go into each. */
  readonly series: readonly Series[];
  readonly #folder: string;

  constructor(activation: ResolvedActivation, run: Pick<RunRecord, 'run' | 'startedAt'>, kind: FileKind) {
    const { fileName, format, syncMode, destination } = activation;
    this.fileName = resolveFileName({
      ...nameOptions(activation, run, kind),
      template: fileName,
      extension: extensionOf(format),
    });
    this.series = seriesOf(syncMode);
    this.#folder = destination.folder;
  }

  /** The full name in the container; parts count from 1. */
  readonly nameOf = (change: Change | undefined, part: number): string => {
    const named = changeName(change);
    return partName(this.fileName, part, {
      folder: this.#folder,
      ...(named === undefined ? {} : { change: named }),
    });
  };

  /** Names of the first part of each file. */
  get firstNames(): string[] {
    return this.series.map(({ change }) => this.nameOf(change, 1));
  }

  /** The first of the files' names that is taken already. */
  async findTaken(store: Pick<BlobStore, 'head'>): Promise<string | undefined> {
    for (const name of this.firstNames) {
      if ((await store.head(name)) !== undefined) return name;
    }
    return undefined;
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
