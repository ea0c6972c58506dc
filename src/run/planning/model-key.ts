import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import type { SourceDescription } from '../../sources/source.ts';

/**
 * Columns that identify a row: those that the model names, else the primary key of its
 * table.
 */
export function keyOf(
  { model, runType }: Pick<ResolvedActivation, 'model' | 'runType'>,
  { primaryKey: known = [] }: Pick<SourceDescription, 'primaryKey'>,
): readonly string[] {
  const key = model.primaryKey.length > 0 ? model.primaryKey : known;
  if (key.length > 0 || runType === 'full_only') return key;
  const message = `model ${model.name} names no primaryKey, and ${model.table?.schema}.${model.table?.name} has none`;
  throw new SluiceError('COLUMN_UNKNOWN', message, {
    stage: 'mapping',
    hint: 'name the columns that identify a row in primaryKey of the model, or give the table a primary key',
  });
}
