import type { Readable } from 'node:stream';
import type { Assembly } from '../../../assemble.ts';
import type { ResolvedActivation } from '../../../config/activation.ts';
import type { Encoder } from '../../../encoders/encoder.ts';
import { JoiningEncoder } from '../../../encoders/joining-encoder.ts';
import type { Column } from '../../../row-batch.ts';
import type { EndOfData } from '../../../sources/source.ts';
import type { MappingPlan } from '../../../transforms/map-columns.ts';
import type { DividedSource } from '../../planning/readers.ts';
import { ParallelRows } from './parallel-rows.ts';

export interface ParallelSourceOptions {
  readonly activation: ResolvedActivation;
  readonly assembly: Pick<Assembly, 'source' | 'createEncoder'>;
  readonly divided: DividedSource;
  readonly mapping: MappingPlan;
}

/**
 * Takes the place of a source, and of what encodes its rows, where several threads read
 * and, if the format lets rows be joined, encode them.
 */
export class ParallelSource {
  readonly createEncoder: (columns: readonly Column[]) => Encoder;
  readonly #start: () => ParallelRows;
  #rows: ParallelRows | undefined;

  constructor({ activation, assembly, divided, mapping }: ParallelSourceOptions) {
    const { source, createEncoder } = assembly;
    const encodes = createEncoder(mapping.written).separator !== undefined;
    this.createEncoder = encodes ? columns => new JoiningEncoder(createEncoder(columns)) : createEncoder;
    this.#start = () => new ParallelRows({ activation, source, divided, mapping, encodes });
  }

  /** Values that threads wrote as something else, by the name of their column. */
  get coerced(): ReadonlyMap<string, number> {
    return this.#rows?.coerced ?? new Map();
  }

  read(): Readable {
    this.#rows = this.#start();
    return this.#rows;
  }

  finish(): Promise<EndOfData> {
    return this.#rows!.finish();
  }

  /** Resolves when no thread and none of their connections is left. Never rejects. */
  async close(): Promise<void> {
    await this.#rows?.close();
  }
}
