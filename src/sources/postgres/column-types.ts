import type { Column, ColumnKind, ElementFacts } from '../../row-batch.ts';
import type { TypeCatalogue } from './type-facts.ts';

/**
 * Built-in type OIDs (PostgreSQL's pg_type.dat; they never change) to the kinds that
 * formats know.
 */
const KIND_BY_OID: Readonly<Record<number, ColumnKind>> = {
  16: 'boolean',
  17: 'bytes',
  20: 'int64',
  21: 'int16',
  23: 'int32',
  114: 'json',
  700: 'float32',
  701: 'float64',
  // Money is a number of the currency's least units, and is written as one.
  790: 'numeric',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  1700: 'numeric',
  2950: 'uuid',
  3802: 'json',
};
const MONEY = 790;
const INTERVAL = 1186;
/** Digits of 2^63. */
const MONEY_PRECISION = 19;

/** A column as RowDescription gives it; domains arrive as their base type. */
export interface FieldDescription {
  readonly name: string;
  readonly dataTypeID: number;
  readonly dataTypeModifier: number;
}

/** `typeName` is what `format_type(oid, typmod)` says. */
export function toColumn(
  { name, dataTypeID: oid, dataTypeModifier }: FieldDescription,
  typeName: string,
  types: TypeCatalogue,
  moneyScale: number,
): Column {
  const kind = kindOf(oid);
  const element = elementOf(oid, types);
  const column: Column = { name, source: name, kind, sourceType: typeName, ...(element && { element }) };
  if (oid === INTERVAL) return { ...column, isQuantity: true };
  if (oid === MONEY) return { ...column, precision: MONEY_PRECISION, scale: moneyScale };
  if (kind !== 'numeric' || dataTypeModifier < 4) return column;
  // numeric's modifier is ((precision << 16) | (scale & 0x7ff)) + 4; the scale is signed
  // since PostgreSQL 15.
  const modifier = dataTypeModifier - 4;
  const scale = modifier & 0x7ff;
  return { ...column, precision: (modifier >> 16) & 0xffff, scale: scale >= 0x400 ? scale - 0x800 : scale };
}

function kindOf(oid: number): ColumnKind {
  return KIND_BY_OID[oid] ?? 'text';
}

/** What an array holds, in the end: domains are what they are of. */
function elementOf(oid: number, types: TypeCatalogue): ElementFacts | undefined {
  const facts = types.get(oid);
  if (facts?.output !== 'array_out') return undefined;
  const { delimiter } = types.get(facts.element)!;
  let base = facts.element;
  for (let next = types.get(base); next?.base; next = types.get(base)) base = next.base;
  const element = elementOf(base, types);
  return { kind: kindOf(base), delimiter, ...(element && { element }) };
}
