import type { Clock } from '../clock.ts';
import type { ArrivedRows } from '../pipeline.ts';
import type { RollingBlobSink } from '../sinks/rolling-blob-sink.ts';
import type { Waiting } from '../sinks/sink.ts';

export interface RunProgress {
  /** `connecting` is what there is to say before the progress can be asked for. */
  readonly phase: 'connecting' | 'reading' | 'publishing';
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly bytesStaged: number;
  readonly blocksStaged: number;
  readonly part: number;
  /** While it connects: which side it waits for. */
  readonly connectingTo?: 'destination' | 'source';
  /** What does not answer, and until when it is tried again. */
  readonly waiting?: string;
  /** Where workers of a queue read them. */
  readonly slices?: SliceProgress;
}

export interface SliceProgress {
  readonly count: number;
  readonly done: number;
  /** Being read now. */
  readonly running: number;
  /** Those that have read one so far. */
  readonly workers: number;
}

/** With nothing read, a destination that does not answer is most often a mistake. */
export const PATIENCE_BEFORE_READING_MS = 30_000;

const NOT_READING: RunProgress = {
  phase: 'connecting',
  rowsRead: 0,
  rowsWritten: 0,
  bytesStaged: 0,
  blocksStaged: 0,
  part: 0,
};

type Staged = Pick<RollingBlobSink, 'rowsWritten' | 'bytesStaged' | 'blocksStaged' | 'part'>;

/** Answers whoever observes a run how far it is. */
export class ProgressReport {
  readonly #observe: (progress: () => RunProgress) => void;
  readonly #clock: Clock;
  #phase: 'reading' | 'publishing' = 'reading';
  #waiting: { readonly reason: string; readonly until: Date } | undefined;

  constructor(observe: ((progress: () => RunProgress) => void) | undefined, clock: Clock) {
    this.#observe = observe ?? (() => {});
    this.#clock = clock;
  }

  /** The destination failed and is asked again. */
  readonly onRetry = ({ reason, leftMs }: Waiting): void => {
    this.#waiting = { reason, until: new Date(this.#clock.now().getTime() + leftMs) };
  };

  readonly onRetried = (): void => {
    this.#waiting = undefined;
  };

  connecting(connectingTo: 'destination' | 'source'): void {
    this.#observe(() => ({ ...NOT_READING, connectingTo, ...this.#described() }));
  }

  /** The query is sent next; its first row may take long. */
  reading(arrived: ArrivedRows, sink: Staged): void {
    this.#observe(() => ({
      phase: this.#phase,
      rowsRead: arrived.count,
      rowsWritten: sink.rowsWritten,
      bytesStaged: sink.bytesStaged,
      blocksStaged: sink.blocksStaged,
      part: sink.part,
      ...this.#described(),
    }));
  }

  /** The run is decided. It says so until its end, however it ends. */
  publishing(): void {
    this.#phase = 'publishing';
  }

  #described(): Pick<RunProgress, 'waiting'> {
    if (this.#waiting === undefined) return {};
    const { reason, until } = this.#waiting;
    return { waiting: triedAgain(reason, until) };
  }
}

/** What does not answer, as `waiting` has it. */
export function triedAgain(reason: string, until: Date): string {
  return `${reason}; trying again until ${until.toISOString().slice(11, 19)} UTC`;
}
