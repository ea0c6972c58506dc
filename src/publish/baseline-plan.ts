import type { Retained } from '../baseline/baseline.ts';
import type { RowHashing } from '../baseline/row-hashing.ts';
import type { RunWarning } from '../history/run-record.ts';
import type { SourcePosition } from '../sources/source.ts';

/** What a run is taken against and what it makes. */
export interface BaselinePlan {
  /** Every row, rather than the changes since the baseline. */
  readonly full: boolean;
  /** Whether the run makes a baseline: run type `full_then_delta`. */
  readonly keepsState: boolean;
  /**
   * Whether rows are looked up in the baseline; also where each is written, so that what
   * is gone is known.
   */
  readonly compares: boolean;
  /** Whether the last run wrote the same columns. */
  readonly hasSameColumns: boolean;
  /**
   * Keys that the safety gates count with: those of the baseline, or what the manifest
   * knows of it.
   */
  readonly known: number;
  readonly previousGeneration: number;
  readonly generation: number;
  /** Hashing of the baseline that the run makes. */
  readonly hashing: RowHashing;
  /**
   * Whether the run writes all of that baseline, rather than how it differs from the
   * present one.
   */
  readonly replacesBaseline: boolean;
  readonly identity: string;
  readonly retained: Retained;
  /**
   * Where the fields of a removed row stand in what the baseline retained of it; absent
   * where it retained nothing.
   */
  readonly removedPlaces: readonly (number | undefined)[] | undefined;
  readonly position: SourcePosition | undefined;
  readonly warnings: readonly RunWarning[];
}
