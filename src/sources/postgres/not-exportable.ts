import type pg from 'pg';
import { SluiceError } from '../../errors.ts';
import type { Column } from '../../row-batch.ts';
import { findPlace, type ModelQuery } from './model-query.ts';

/**
 * The model was understood on its own, yet cannot stand in a `from` clause: it gives one
 * name to two columns, or it is `insert … returning`, `explain`, `show` or the like. Any
 * other error is left as it is.
 */
export function notExportable(
  error: SluiceError,
  query: ModelQuery,
  columns: readonly Column[],
): SluiceError {
  const { code: state, position } = (error.cause ?? {}) as Partial<pg.DatabaseError>;
  const names = columns.map(column => column.name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (state === '42702' && repeated !== undefined) {
    const message = `the model has more than one column named "${repeated}"; its columns are ${names.join(', ')}`;
    return new SluiceError('COLUMN_DUPLICATE', message, { cause: error, stage: 'source' });
  }
  const inModel = position !== undefined && findPlace(query, Number(position))?.name === 'the model';
  if (!inModel || (state !== '42601' && state !== '0A000')) return error;
  const message = `${error.message}: the model is not a plain query (select, with, values or table)`;
  return new SluiceError('SOURCE_NOT_READ_ONLY', message, { cause: error, stage: 'source' });
}
