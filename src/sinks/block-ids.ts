/** Decoded, a block id has at most this many bytes (Put Block). */
const MAX_ID_BYTES = 64;
const MAX_FILES = 36 ** 4;
const MAX_BLOCK_INDEX = 999_999;
/** Ids have two digits for the attempt. */
export const ATTEMPTS_TOLD_APART = 100;

export interface BlockIdScope {
  /**
   * Printable ASCII of one length for all runs, so that ids of different runs can be told
   * apart in one blob.
   */
  readonly runId: string;
  /** Counts the files of a run from 0. */
  readonly fileIndex: number;
  /**
   * 0-99: a run that stages again after its blocks were lost must not meet its own late
   * requests.
   */
  readonly attempt: number;
}

/**
 * Names the blocks of one file: base64 of `RUNID.FFFF.AA.IIIIII` with the file in base
 * 36. All ids of a run have one length, as Azure demands of one blob, and no other run,
 * file or attempt has the same.
 */
export function blockIds({ runId, fileIndex, attempt }: BlockIdScope): (index: number) => string {
  if (!/^[!-~]+$/.test(runId)) throw new TypeError(`run id ${JSON.stringify(runId)} is not printable ASCII`);
  const file = counter('file index', fileIndex, MAX_FILES - 1, 4, 36);
  const prefix = `${runId}.${file}.${counter('attempt', attempt, ATTEMPTS_TOLD_APART - 1, 2, 10)}.`;
  if (prefix.length + 6 > MAX_ID_BYTES) {
    throw new TypeError(`run id ${runId} is too long: block ids have at most ${MAX_ID_BYTES} bytes`);
  }
  return index =>
    Buffer.from(prefix + counter('block index', index, MAX_BLOCK_INDEX, 6, 10)).toString('base64');
}

function counter(what: string, value: number, max: number, digits: number, base: number): string {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${what} ${value} is not in 0 … ${max}`);
  }
  return value.toString(base).padStart(digits, '0');
}

/** The run that a block id names; '' where it is none of ours. */
export function runOfBlock(id: string): string {
  return (
    /^([!-~]+)\.[0-9a-z]{4}\.\d{2}\.\d{6}$/.exec(Buffer.from(id, 'base64').toString('latin1'))?.[1] ?? ''
  );
}
