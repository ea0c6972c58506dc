import { SluiceError } from '../errors.ts';
import { Change, type RowBatch } from '../row-batch.ts';
import type { KeyFields } from './key-fields.ts';

/** A key that was null or repeated, for the run's record. */
export interface KeySample {
  readonly problem: 'null' | 'duplicate';
  readonly key: readonly (string | null)[];
}

const MAX_SAMPLES = 100;

/** The first of such keys. */
export class KeySamples {
  readonly taken: KeySample[] = [];
  readonly #keyFields: KeyFields;

  constructor(keyFields: KeyFields) {
    this.#keyFields = keyFields;
  }

  /** Looks at the rows of a batch that were skipped for that problem. */
  take(problem: KeySample['problem'], batch: RowBatch, changes: Uint8Array): void {
    const view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    for (let row = 0; row < batch.rowCount && this.taken.length < MAX_SAMPLES; row++) {
      if (changes[row] !== Change.skipped) continue;
      const isNull = !this.#keyFields.locate(batch, row, view);
      if (isNull === (problem === 'null'))
        this.taken.push({ problem, key: this.#keyFields.textsOf(batch, row) });
    }
  }
}

export interface KeyRules {
  /** Names of the key's columns. */
  readonly keyNames: readonly string[];
  readonly onNullKey: 'fail' | 'skip';
  readonly onDuplicateKey: 'fail' | 'first';
}

/** Throws KEY_NULL or KEY_DUPLICATE where such keys fail the run. */
export function checkKeys(
  { nullKeys, duplicateKeys }: { readonly nullKeys: number; readonly duplicateKeys: number },
  samples: readonly KeySample[],
  { onNullKey, onDuplicateKey, keyNames }: KeyRules,
): void {
  const fail = (code: 'KEY_NULL' | 'KEY_DUPLICATE', count: number, problem: KeySample['problem']): never => {
    const what = problem === 'null' ? 'with a null in the primary key' : 'whose primary key came before';
    const examples = samples.filter(sample => sample.problem === problem).slice(0, 5);
    const shown = examples.map(({ key }) => `(${key.map(text => text ?? 'NULL').join(', ')})`).join(', ');
    const message = `${count} ${count === 1 ? 'row' : 'rows'} ${what} (${keyNames.join(', ')}), such as ${shown}`;
    throw new SluiceError(code, message, { stage: 'diff' });
  };
  if (nullKeys > 0 && onNullKey === 'fail') fail('KEY_NULL', nullKeys, 'null');
  if (duplicateKeys > 0 && onDuplicateKey === 'fail') fail('KEY_DUPLICATE', duplicateKeys, 'duplicate');
}
