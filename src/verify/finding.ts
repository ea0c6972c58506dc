/** What can be wrong with what a run published. Codes never change. */
export type FindingCode =
  /** The manifest of the run is not there. */
  | 'MANIFEST_MISSING'
  /** It is no manifest, or contradicts itself. */
  | 'MANIFEST_DAMAGED'
  /** It is not what this data directory remembers of the run. */
  | 'MANIFEST_DIFFERS'
  /** A name that the run cannot have written. */
  | 'NAME'
  | 'FILE_MISSING'
  /**
   * A later run wrote the same name: the file of this run is gone, and nothing else is
   * wrong with it.
   */
  | 'OVERWRITTEN'
  /** Somebody else wrote, or changed properties of, the blob after the run. */
  | 'CHANGED'
  | 'BYTES'
  /** It is called a file of another kind. */
  | 'CONTENT_TYPE'
  | 'CRC64'
  | 'SHA256'
  | 'MD5'
  | 'ROWS'
  | 'COLUMNS'
  /** It does not parse to its end. */
  | 'UNREADABLE';

export interface Finding {
  readonly code: FindingCode;
  readonly message: string;
}
