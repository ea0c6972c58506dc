import type { BaselineState } from '../baseline/baseline.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { BlobWriteProperties, Precondition } from '../sinks/sink.ts';
import type { Manifest, ManifestNames } from './manifest.ts';

/**
 * Everything that finishing the run takes: it is read back by another process after a
 * crash.
 */
export interface Decision {
  readonly version: 1;
  /** The run as it will be recorded; its files have no ETags yet. */
  readonly record: RunRecord;
  /** Where the files go, to notice a changed configuration. */
  readonly target: string;
  readonly files: readonly DecidedFile[];
  readonly manifest: DecidedManifest | undefined;
  readonly completion?: DecidedCompletion | undefined;
  /** The baseline to come, where the activation has one. */
  readonly baseline: DecidedBaseline | undefined;
  /** Parts of an earlier run of the same name that this run no longer has. */
  readonly stale: readonly StalePart[];
}

export interface DecidedBaseline {
  readonly next: BaselineState;
  readonly replace: boolean;
  /** Which it is, where there is one for each set of parameter values. */
  readonly set?: string;
}

export interface DecidedFile {
  readonly name: string;
  readonly blockIds: readonly string[];
  readonly bytes: number;
  readonly condition: Precondition;
  /**
   * What the run itself says of the file; what the configuration says is added at each
   * attempt.
   */
  readonly properties: BlobWriteProperties;
  /**
   * What the file is committed as where the run is withdrawn: without the rows that were
   * appended to it.
   */
  readonly undo?: { readonly blockIds: readonly string[]; readonly properties: BlobWriteProperties };
}

export interface DecidedManifest {
  readonly names: ManifestNames;
  /** The precondition of `latest`: the ETag that was seen when the run began. */
  readonly latest: Precondition;
  /** Complete but for the ETags of files and the end time. */
  readonly content: Manifest;
}

/** Blobs that say that all files of the run are in place. */
export interface DecidedCompletion {
  /**
   * Those of earlier runs, as they were seen; each is deleted only as long as it has this
   * ETag.
   */
  readonly standing: readonly { readonly name: string; readonly etag: string }[];
  readonly files: readonly CompletionFile[];
}

export interface CompletionFile {
  readonly name: string;
  readonly content: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface StalePart {
  readonly name: string;
  /** It is deleted only as long as it has this one. */
  readonly etag: string;
  /** Name of its first part: what it is a part of. */
  readonly series: string;
}
