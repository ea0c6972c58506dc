import type { Version } from './virtual-container.ts';
import type { Rows } from './virtual-disk.ts';

/** What the oracle notes of subjects and their runs. */

/** The part of a manifest that a consumer goes by. */
export interface Published {
  readonly run: string;
  readonly generation: number;
  readonly previousGeneration: number;
  readonly full: boolean;
  readonly files: readonly {
    readonly name: string;
    readonly change?: string;
    readonly bytes: number;
    readonly appended?: { readonly fromByte: number };
    readonly etag?: string;
  }[];
}

export interface Subject {
  readonly name: string;
  readonly syncMode: string;
  readonly keepsState: boolean;
  readonly manifest: boolean;
  readonly latest: string;
  readonly mayDelete: boolean;
  readonly appends: boolean;
  /**
   * All runs write to one file: where they append, it must hold what a consumer holds.
   */
  readonly hasOneFile: boolean;
  /** Name of the blob that says that all files of a run are in place. */
  readonly completion?: string;
  /** Nothing keeps a run from deleting. */
  readonly surelyDeletes: boolean;
}

/** What a run is going to publish. */
export interface StagedName {
  readonly name: string;
  readonly bytes: number;
  /** Where its own rows begin. */
  readonly fromByte: number;
}

export interface FinishedRun {
  readonly run: string;
  readonly warnings: readonly { readonly code: string }[];
}

export interface Chain {
  readonly subject: Subject;
  /**
   * The run that `latest.json` names, or that was published last where there are no
   * manifests.
   */
  last: RunFacts | undefined;
  /** The newest run that was published, whatever has become of `latest.json`. */
  newest: RunFacts | undefined;
  /**
   * What a consumer has that applied every generation; of `insert`, all keys that ever
   * came.
   */
  held: Rows;
  /** Somebody else has deleted or replaced `latest.json` since. */
  lost: boolean;
  wasLost: boolean;
  /**
   * After another writer's interference a late request of ours wrote a `latest.json` that
   * was given up.
   */
  cameBack: boolean;
  /** The newest run that wrote every row, whatever has become of `latest.json`. */
  newestFull: RunFacts | undefined;
  /**
   * The last run that wrote every row and that `latest.json` named, and the last step at
   * which another writer touched the subject's files.
   */
  lastFull: RunFacts | undefined;
  spoiledStep: number;
  /** What consumers have moved away, as it was then. */
  readonly taken: Version[];
}

export interface RunFacts {
  readonly run: string;
  readonly chain: Chain;
  readonly source: Rows;
  readonly generation: number;
  readonly previousGeneration: number;
  readonly full: boolean;
  /**
   * Rows of the baseline, of which a full run has to say what became; none where it
   * starts over.
   */
  readonly known: Rows;
  /** What a consumer holds once it has applied the run. */
  held: Rows | undefined;
  names: readonly string[];
  staged: ReadonlyMap<string, StagedName>;
  /** The start of its process. */
  readonly startedStep: number;
  readonly startedMs: number;
  decided: boolean;
  removedStep: number | undefined;
  /** The container refused one of its files for good. */
  refused: boolean;
  /** Files of its own that it was not allowed to write or to delete. */
  readonly refusedNames: Set<string>;
  /** The baseline on disk is its own. */
  applied: boolean;
  /** RUN.json was written; without manifests, all files are committed. */
  published: boolean;
  /** The journal says so, where there are no manifests. */
  noted: boolean;
  /** The disk may know nothing of the run any more. */
  forgotten: boolean;
  readonly committed: Map<string, Version>;
  /** Since when all files were committed, and since when one of them is taken back. */
  completeStep: number | undefined;
  takenBackStep: number | undefined;
  /** Names under which it replaced what a consumer may not have read. */
  readonly replaced: Set<string>;
  /** ETags that the run was shown before it was decided. */
  readonly seen: ReadonlySet<string>;
}

export interface PublishedFile {
  readonly version: Version;
  readonly change: string | undefined;
  readonly fromByte: number;
}
