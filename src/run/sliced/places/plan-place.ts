/**
 * Where the plan of a run is kept, and the documents that its slices leave behind: a
 * folder, or blobs of `state`. All machines that work on the run share it. A document is
 * there whole or not at all; no write is unconditional but that of a folder's `replace`.
 */
export interface PlanPlace {
  /** The plan, as commands and messages name it. */
  readonly plan: string;
  /** As messages name a document. */
  nameOf(document: string): string;
  /** `undefined` where there is none. */
  read(document: string): Promise<string | undefined>;
  /**
   * Keeps it, unless there is one already: whether there was none. No two callers may
   * give the same text, since a write whose answer was lost is known by it.
   */
  create(document: string, text: string): Promise<boolean>;
  replace(document: string, text: string): Promise<void>;
}

/** The plan itself; all other documents are beside it. */
export const PLAN = '';

/** Plans of `state`, of which old ones are removed. */
export interface PlanCollection {
  placeOf(name: string): PlanPlace;
  /** By the name of a plan, the documents beside it. */
  list(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** What is beside a plan, then the plan. */
  remove(name: string, documents: readonly string[]): Promise<void>;
}
