import { SluiceError } from '../errors.ts';
import type { Column, RowBatch } from '../row-batch.ts';
import type { RowTransform } from './transform.ts';

/** What a mapping asks of the rows. */
export interface MappingPlan {
  /**
   * Fields of a mapped row, in order: the columns that are written, then those of the key
   * and of the partition that are not.
   */
  readonly fields: readonly Column[];
  /** The first of `fields`: what files hold, under the names that files use. */
  readonly written: readonly Column[];
  /** Places in `fields` of the primary key's columns, in the order of the key. */
  readonly keyFields: readonly number[];
  /**
   * Places in `fields` of the columns that files are partitioned by; absent where they
   * are not.
   */
  readonly partitionFields?: readonly number[];
}

export interface MappingOptions {
  /** Name of the model, for messages. */
  readonly modelName: string;
  /** Every column of the model. */
  readonly columns: readonly Column[];
  /** Columns to write, in order; without it every column under its own name. */
  readonly mapping?: readonly { readonly from: string; readonly to: string }[] | undefined;
  readonly primaryKey: readonly string[];
  /** Columns that are written, or, where they are not kept, of the model. */
  readonly partitionBy?: readonly string[] | undefined;
  readonly keepPartitionColumns?: boolean;
}

/**
 * Selects, renames and reorders columns; finds the key. Throws COLUMN_UNKNOWN or
 * COLUMN_DUPLICATE.
 */
export function planMapping(options: MappingOptions): MappingPlan {
  const { modelName, columns, mapping, primaryKey, partitionBy, keepPartitionColumns = true } = options;
  if (columns.length === 0) {
    throw new SluiceError(
      'COLUMN_UNKNOWN',
      `model ${modelName} has no columns, so no file could hold its rows`,
      {
        stage: 'mapping',
        hint: 'name at least one column behind `select`',
      },
    );
  }
  const mapped = mapping ?? columns.map(({ name }) => ({ from: name, to: name }));
  const dropped = keepPartitionColumns ? [] : (partitionBy ?? []);
  const wanted = mapped.filter(({ from }) => !dropped.includes(from));
  const names = [...wanted.map(({ from }) => from), ...primaryKey, ...dropped];
  const unknown = [...new Set(names)].filter(name => !columns.some(column => column.source === name));
  if (unknown.length > 0) {
    const has = columns.map(column => column.source).join(', ');
    const message = `model ${modelName} has no column ${unknown.map(quoted).join(', ')}; it has ${has}`;
    throw new SluiceError('COLUMN_UNKNOWN', message, { stage: 'mapping' });
  }
  if (wanted.length === 0 && mapped.length > 0) {
    const message = `model ${modelName} has no column but those of partitionBy, and keepPartitionColumns is false`;
    throw new SluiceError('COLUMN_UNKNOWN', message, {
      stage: 'mapping',
      hint: 'name one more column behind `select`, or set keepPartitionColumns: true',
    });
  }
  const repeated = wanted.find(({ to }, index) => wanted.findIndex(other => other.to === to) !== index);
  if (repeated !== undefined) {
    const message = `two columns would be written as ${quoted(repeated.to)}`;
    throw new SluiceError('COLUMN_DUPLICATE', message, {
      stage: 'mapping',
      hint: 'give each column of the mapping a name of its own',
    });
  }
  const columnOf = (source: string): Column => columns.find(column => column.source === source)!;
  const written = wanted.map(({ from, to }) => ({ ...columnOf(from), name: to }));
  const further = new Set([...primaryKey, ...dropped]);
  const unwritten = [...further].filter(name => !wanted.some(({ from }) => from === name)).map(columnOf);
  const fields = [...written, ...unwritten];
  const unreadable = fields.find(column => column.unreadable !== undefined);
  if (unreadable !== undefined) {
    const message = `model ${modelName}: column ${quoted(unreadable.source)} ${unreadable.unreadable}`;
    throw new SluiceError('SOURCE_QUERY_INVALID', message, {
      stage: 'mapping',
      hint: 'cast the column to text in the model (`column::text`), or leave it out of the mapping',
    });
  }
  return {
    fields,
    written,
    keyFields: primaryKey.map(name => fields.findIndex(({ source }) => source === name)),
    ...(partitionBy && {
      partitionFields: partitionBy.map(name =>
        keepPartitionColumns
          ? placeOfWritten(name, options, written)
          : fields.findIndex(({ source }) => source === name),
      ),
    }),
  };
}

function placeOfWritten(wanted: string, { modelName }: MappingOptions, written: readonly Column[]): number {
  const place = written.findIndex(({ name }) => name === wanted);
  if (place >= 0) return place;
  const has = written.map(({ name }) => name).join(', ');
  const message = `partitionBy names ${quoted(wanted)}, and the columns that are written of model ${modelName} are ${has}`;
  throw new SluiceError('COLUMN_UNKNOWN', message, {
    stage: 'mapping',
    hint: 'name a column that is written; or set keepPartitionColumns: false, which takes a column of the model',
  });
}

/**
 * The mapping stage: brings the fields of each row into the order of the plan. A source
 * that can select for itself was asked for just that, and its batches pass as they are;
 * of any other source's rows the fields are copied. `onRows` is told of the rows of each
 * batch.
 */
export function mapColumns(
  sent: readonly Column[],
  plan: MappingPlan,
  onRows?: (count: number) => void,
): RowTransform {
  const places = plan.fields.map(field => sent.findIndex(({ source }) => source === field.source));
  const same =
    sent.length === places.length && sent.every(({ source }, index) => source === plan.fields[index]!.source);
  return async function* map(batches) {
    for await (const batch of batches) {
      onRows?.(batch.rowCount);
      yield same ? batch : pick(batch, places, sent.length);
    }
  };
}

function pick(batch: RowBatch, places: readonly number[], fieldCount: number): RowBatch {
  const { bytes: from, rowBounds, rowCount } = batch;
  const starts = new Int32Array(fieldCount + 1);
  const parts: Buffer[] = [];
  const bounds = new Int32Array(rowCount * 2);
  let at = 0;
  for (let row = 0; row < rowCount; row++) {
    let p = rowBounds[2 * row]!;
    for (let field = 0; field < fieldCount; field++) {
      starts[field] = p;
      p += 4 + Math.max(0, from.readInt32BE(p));
    }
    starts[fieldCount] = p;
    bounds[2 * row] = at;
    for (const place of places) {
      const field = from.subarray(starts[place]!, starts[place + 1]!);
      parts.push(field);
      at += field.length;
    }
    bounds[2 * row + 1] = at;
  }
  const picked = { bytes: Buffer.concat(parts, at), rowCount, rowBounds: bounds, changes: batch.changes };
  batch.release?.();
  return picked;
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
