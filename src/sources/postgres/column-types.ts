import type { Column, ColumnKind } from '../../row-batch.ts';

/** Built-in type OIDs (PostgreSQL's pg_type.dat; they never change) to the kinds that formats know. */
const KIND_BY_OID: Readonly<Record<number, ColumnKind>> = {
  16: 'boolean',
  17: 'bytes',
  20: 'int64',
  21: 'int16',
  23: 'int32',
  114: 'json',
  700: 'float32',
  701: 'float64',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  1700: 'numeric',
  2950: 'uuid',
  3802: 'json',
};

/** A column as RowDescription gives it; domains arrive as their base type. */
export interface FieldDescription {
  readonly name: string;
  readonly dataTypeID: number;
  readonly dataTypeModifier: number;
}

/** `typeName` is what `format_type(oid, typmod)` says. */
export function toColumn(field: FieldDescription, typeName: string): Column {
  const kind = KIND_BY_OID[field.dataTypeID] ?? 'text';
  const column: Column = { name: field.name, source: field.name, kind, sourceType: typeName };
  if (kind !== 'numeric' || field.dataTypeModifier < 4) return column;
  // numeric's modifier is ((precision << 16) | (scale & 0x7ff)) + 4; the scale is signed since PostgreSQL 15.
  const modifier = field.dataTypeModifier - 4;
  const scale = modifier & 0x7ff;
  return { ...column, precision: (modifier >> 16) & 0xffff, scale: scale >= 0x400 ? scale - 0x800 : scale };
}
