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
}

/** With nothing read, a destination that does not answer is most often a mistake. */
export const PATIENCE_BEFORE_READING_MS = 30_000;

export const NOT_READING: RunProgress = {
  phase: 'connecting',
  rowsRead: 0,
  rowsWritten: 0,
  bytesStaged: 0,
  blocksStaged: 0,
  part: 0,
};

/** A destination that failed and is asked again. */
export interface WaitingFor {
  readonly reason: string;
  readonly until: Date;
}

export function describeWaiting(waiting: WaitingFor | undefined): Pick<RunProgress, 'waiting'> {
  if (waiting === undefined) return {};
  const time = waiting.until.toISOString().slice(11, 19);
  return { waiting: `${waiting.reason}; trying again until ${time} UTC` };
}
