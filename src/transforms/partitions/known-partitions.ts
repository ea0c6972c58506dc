import { SluiceError } from '../../errors.ts';
import type { Column, Partition, RowBatch } from '../../row-batch.ts';

export interface KnownPartitionsOptions {
  readonly fields: readonly Column[];
  /** Places in `fields` of the partition's columns. */
  readonly partitionFields: readonly number[];
  readonly maxPartitions: number;
  /** Told of each partition as it is found; throws where it cannot have files. */
  readonly onFound?: (partition: Partition) => void;
}

/**
 * The partitions that a run has come upon. That of the row before is compared first: rows
 * of one partition most often follow one another.
 */
export class KnownPartitions {
  readonly #options: KnownPartitionsOptions;
  /** Places in ascending order. */
  readonly #places: readonly number[];
  /** Where each of them stands among the partition's columns. */
  readonly #ranks: readonly number[];
  /** Start and end of each field of the row in hand. */
  readonly #spans: Int32Array;
  readonly #byFields = new Map<string, Partition>();
  #last: Partition | undefined;
  #lastFields: Buffer = Buffer.alloc(0);

  constructor(options: KnownPartitionsOptions) {
    const { partitionFields } = options;
    this.#options = options;
    this.#places = partitionFields.toSorted((a, b) => a - b);
    this.#ranks = partitionFields.map(place => this.#places.indexOf(place));
    this.#spans = new Int32Array(2 * partitionFields.length);
  }

  get count(): number {
    return this.#byFields.size;
  }

  /** Throws PARTITIONS_EXCEEDED where it is one too many. */
  of(batch: RowBatch, row: number): Partition {
    const { bytes, rowBounds } = batch;
    const last = this.#lastFields;
    let at = rowBounds[2 * row]!;
    let field = 0;
    let compared = 0;
    let isLast = this.#last !== undefined;
    for (let index = 0; index < this.#places.length; index++) {
      for (; field < this.#places[index]!; field++) at = endOfField(bytes, at);
      const end = endOfField(bytes, at);
      this.#spans[2 * index] = at;
      this.#spans[2 * index + 1] = end;
      const next = compared + end - at;
      isLast &&= next <= last.length && bytes.compare(last, compared, next, at, end) === 0;
      compared = next;
      at = end;
      field++;
    }
    if (isLast && compared === last.length) return this.#last!;
    return this.#find(bytes);
  }

  #find(bytes: Buffer): Partition {
    const fields = this.#places.map((_, index) =>
      bytes.subarray(this.#spans[2 * index]!, this.#spans[2 * index + 1]!),
    );
    this.#lastFields = Buffer.concat(fields);
    const key = this.#lastFields.toString('latin1');
    const known = this.#byFields.get(key);
    this.#last = known ?? this.#found(key, fields);
    return this.#last;
  }

  #found(key: string, sorted: readonly Buffer[]): Partition {
    const { fields, partitionFields, maxPartitions, onFound } = this.#options;
    const columns = partitionFields.map(place => fields[place]!);
    if (this.count === maxPartitions) {
      const names = columns.map(({ name }) => name).join(', ');
      const message = `the values of ${names} make more than ${maxPartitions} partitions`;
      throw new SluiceError('PARTITIONS_EXCEEDED', message, { stage: 'destination' });
    }
    const values = columns.map((column, index) => textOf(column, sorted[this.#ranks[index]!]!));
    const partition: Partition = { index: this.count, values };
    onFound?.(partition);
    this.#byFields.set(key, partition);
    return partition;
  }
}

function endOfField(bytes: Buffer, at: number): number {
  return at + 4 + Math.max(0, bytes.readInt32BE(at));
}

/** The value as names and readers of them have it. */
function textOf({ kind }: Column, field: Buffer): string | null {
  if (field.readInt32BE(0) < 0) return null;
  const text = field.toString('utf8', 4);
  if (kind !== 'boolean') return text;
  return text === 't' ? 'true' : 'false';
}
