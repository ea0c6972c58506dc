import { FileNameInvalidError } from '../../config/file-name.ts';
import { shownPartition } from '../../config/partition-name.ts';
import { SluiceError } from '../../errors.ts';
import type { Change, Partition } from '../../row-batch.ts';
import type { RunFiles } from '../run-files.ts';

/** Names of the files of a run, each of which one partition has. */
export class PartitionNames {
  readonly #files: RunFiles;
  readonly #columns: readonly string[];
  readonly #takenBy = new Map<string, Partition>();

  constructor(files: RunFiles, columns: readonly string[]) {
    this.#files = files;
    this.#columns = columns;
  }

  /** Throws FILE_NAME_INVALID, or PARTITION_NAMES_MEET where another partition has it. */
  readonly nameOf = (change: Change | undefined, part: number, partition: Partition | undefined): string => {
    const name = this.#resolve(change, part, partition);
    if (partition === undefined) return name;
    const other = this.#takenBy.get(name);
    if (other !== undefined && other !== partition) {
      const [first, second] = [other, partition].map(({ values }) => shownPartition(this.#columns, values));
      const message = `the rows with ${first} and those with ${second} would both be in ${name}`;
      throw new SluiceError('PARTITION_NAMES_MEET', message, { stage: 'destination' });
    }
    this.#takenBy.set(name, partition);
    return name;
  };

  #resolve(change: Change | undefined, part: number, partition: Partition | undefined): string {
    try {
      return this.#files.nameOf(change, part, partition);
    } catch (cause) {
      if (!(cause instanceof FileNameInvalidError) || partition === undefined) throw cause;
      const shown = shownPartition(this.#columns, partition.values);
      throw new SluiceError('FILE_NAME_INVALID', `of the rows with ${shown} the ${cause.message}`, {
        cause,
        stage: 'destination',
        hint: 'change or shorten the value in the model, or partition by another column',
      });
    }
  }
}
