import type { Retained } from '../baseline/baseline.ts';
import type { Column } from '../row-batch.ts';
import type { MappingPlan } from './map-columns.ts';

/**
 * What the rows of a baseline were: which columns in which order, which of them the key,
 * and the form of their texts. It holds nothing that can change while consumers get the
 * same: no version of a server, and the names of types only for people to read.
 */
export interface BaselineIdentity {
  /**
   * Fields of a row, in order: the columns that were written, then key columns that were
   * not.
   */
  readonly columns: readonly IdentityColumn[];
  /** The first so many of `columns` were written. */
  readonly written: number;
  /** Places in `columns` of the primary key's columns. */
  readonly key: readonly number[];
  /** Rows were compared by their key alone: sync mode `insert`. */
  readonly keysOnly: boolean;
}

export interface IdentityColumn {
  /** Name in the file, and in the model. */
  readonly name: string;
  readonly source: string;
  /** As the source names it; never compared. */
  readonly sourceType: string;
  /** What the texts look like; see `textForm`. */
  readonly form: string;
}

export function identityOf({ fields, written, keyFields }: MappingPlan, keysOnly: boolean): BaselineIdentity {
  const columns = fields.map(({ name, source, sourceType, kind, scale }) => ({
    name,
    source,
    sourceType,
    form: textForm(kind, sourceType, scale),
  }));
  return { columns, written: written.length, key: keyFields, keysOnly };
}

const CLASSES: Readonly<Partial<Record<Column['kind'], string>>> = {
  int16: 'integer',
  int32: 'integer',
  int64: 'integer',
  float32: 'float 32',
  float64: 'float 64',
};

/**
 * A word for what consumers take a column for, then what further decides its texts. Types
 * with one form give equal values equal texts. A change within one class is an ordinary
 * change of values: rows whose texts differ are updated.
 */
function textForm(kind: Column['kind'], sourceType: string, scale: number | undefined): string {
  if (kind === 'numeric' && scale !== undefined) return `numeric ${scale}`;
  // Values of `character(n)` are padded to their length.
  const padded = kind === 'text' ? /^character\((\d+)\)$/.exec(sourceType)?.[1] : undefined;
  return padded === undefined ? (CLASSES[kind] ?? kind) : `text ${padded}`;
}

function classOf({ form }: IdentityColumn): string {
  return form.split(' ', 1)[0]!;
}

/** What consumers take a column of that kind for. */
export function classOfKind(kind: Column['kind']): string {
  return (CLASSES[kind] ?? kind).split(' ', 1)[0]!;
}

/** Forms in which a value that is cast from one to the other keeps its text. */
const PLAIN_FORMS: ReadonlySet<string> = new Set(['integer', 'numeric', 'numeric 0', 'text', 'uuid', 'date']);

function isSameText(before: IdentityColumn, now: IdentityColumn): boolean {
  return before.form === now.form || (PLAIN_FORMS.has(before.form) && PLAIN_FORMS.has(now.form));
}

/**
 * Whether the keys of a baseline can be looked for among the keys of rows as they are
 * now.
 */
export function hasSameKey(before: BaselineIdentity, now: BaselineIdentity): boolean {
  return (
    before.key.length === now.key.length &&
    now.key.every((place, index) => {
      const column = before.columns[before.key[index]!];
      const present = now.columns[place]!;
      return column !== undefined && column.source === present.source && isSameText(column, present);
    })
  );
}

/**
 * Whether consumers get the same columns, so that a row that differs from the baseline's
 * has changed.
 */
export function hasSameColumns(before: BaselineIdentity, now: BaselineIdentity): boolean {
  return (
    before.written === now.written &&
    before.columns.length === now.columns.length &&
    now.columns.every((column, index) => {
      const { name, source } = before.columns[index]!;
      return (
        name === column.name &&
        source === column.source &&
        classOf(before.columns[index]!) === classOf(column)
      );
    })
  );
}

/** For people: what makes rows of the baseline other rows. */
export function describeChanges(before: BaselineIdentity | undefined, now: BaselineIdentity): string {
  if (before === undefined) return 'its columns cannot be read';
  const changes: string[] = [];
  const there = (column: IdentityColumn, among: BaselineIdentity): IdentityColumn | undefined =>
    among.columns.find(({ name, source }) => name === column.name && source === column.source);
  for (const column of before.columns)
    if (!there(column, now)) changes.push(`column ${quoted(column)} is gone`);
  for (const column of now.columns) {
    const old = there(column, before);
    if (!old) changes.push(`column ${quoted(column)} is new`);
    else if (classOf(old) !== classOf(column))
      changes.push(`column ${quoted(column)} is ${column.sourceType} and was ${old.sourceType}`);
  }
  if (!hasSameKey(before, now)) changes.push(`the key is ${keyOf(now)} and was ${keyOf(before)}`);
  if (changes.length === 0) changes.push('the columns are in another order');
  const more = changes.length - MAX_CHANGES;
  return changes.slice(0, MAX_CHANGES).join(', ') + (more > 0 ? `, and ${more} more changes` : '');
}

const MAX_CHANGES = 5;

function quoted({ name }: IdentityColumn): string {
  return JSON.stringify(name);
}

function keyOf({ key, columns }: BaselineIdentity): string {
  const named = key.flatMap(place => columns[place] ?? []);
  return `(${named.map(({ source, sourceType }) => `${source} ${sourceType}`).join(', ')})`;
}

/**
 * Where in what the baseline retained of a row the value of each present column stands;
 * `undefined` where it has none, or one that the present column cannot hold. A column is
 * known by its name in the model, else by its name in the file.
 */
export function placesOfRetained(
  before: BaselineIdentity,
  now: BaselineIdentity,
  { retained, wanted }: { readonly retained: Retained; readonly wanted: Retained },
): (number | undefined)[] {
  return now.columns.map((column, index) => {
    if (wanted === 'key' && !now.key.includes(index)) return undefined;
    const bySource = before.columns.findIndex(({ source }) => source === column.source);
    const place = bySource >= 0 ? bySource : before.columns.findIndex(({ name }) => name === column.name);
    if (place < 0 || !holds(column, before.columns[place]!)) return undefined;
    const kept = retained === 'key' ? before.key.indexOf(place) : place;
    return kept < 0 ? undefined : kept;
  });
}

/**
 * Whether the column holds whatever the other one held: a format may refuse a value that
 * is out of its type's range.
 */
function holds(column: IdentityColumn, before: IdentityColumn): boolean {
  const wanted = classOf(column);
  if (wanted === 'text' || column.sourceType === before.sourceType) return true;
  if (wanted !== classOf(before)) return column.form === 'numeric' && classOf(before) === 'integer';
  if (wanted === 'integer') return rankOf(column) >= rankOf(before);
  if (wanted === 'float') return column.form >= before.form;
  if (wanted !== 'numeric' || column.form === 'numeric') return true;
  const [digits, scale] = digitsOf(column);
  const [digitsBefore, scaleBefore] = digitsOf(before);
  return digits >= digitsBefore && scale >= scaleBefore;
}

function rankOf({ sourceType }: IdentityColumn): number {
  return ['smallint', 'int16', 'integer', 'int32', 'bigint', 'int64'].indexOf(sourceType);
}

/** The digits of a numeric before the point, and after it. */
function digitsOf({ sourceType }: IdentityColumn): readonly [number, number] {
  const [, precision, scale = 0] = /^numeric\((\d+)(?:,(-?\d+))?\)$/.exec(sourceType) ?? [];
  if (precision === undefined) return [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  return [Number(precision) - Number(scale), Number(scale)];
}

/** As it is kept with the baseline. */
export function serializeIdentity({ columns, ...rest }: BaselineIdentity): string {
  return JSON.stringify({
    ...rest,
    columns: columns.map(({ name, source, sourceType, form }) => [name, source, sourceType, form]),
  });
}

/** What an earlier version kept beside, and what it did not keep. */
type KeptColumn = readonly [name: string, source: string, sourceType: string, form?: string];

/**
 * `undefined` where nothing can be made of it. Reads what earlier versions kept as well.
 */
export function parseIdentity(text: string): BaselineIdentity | undefined {
  let kept: Partial<Omit<BaselineIdentity, 'columns'>> & { readonly columns?: readonly KeptColumn[] };
  try {
    kept = JSON.parse(text) as typeof kept;
  } catch {
    return undefined;
  }
  if (!Array.isArray(kept?.columns) || !kept.columns.every(isKeptColumn) || !Array.isArray(kept.key))
    return undefined;
  const columns = kept.columns.map(([name, source, sourceType, form = formOfName(sourceType)]) => {
    return { name, source, sourceType, form };
  });
  const { written = columns.length, key, keysOnly = false } = kept;
  return { columns, written, key, keysOnly };
}

function isKeptColumn(column: unknown): column is KeptColumn {
  return (
    Array.isArray(column) &&
    column.length >= 3 &&
    column.every(part => part === null || typeof part === 'string')
  );
}

/** The beginnings of names of types, of PostgreSQL and of JSON files, and their kinds. */
const KINDS_BY_NAME: readonly (readonly [name: RegExp, kind: Column['kind']])[] = [
  [/^(smallint|integer|bigint|int16|int32|int64)$/, 'int64'],
  [/^(real|float32)$/, 'float32'],
  [/^(double precision|float64)$/, 'float64'],
  [/^numeric(\(|$)/, 'numeric'],
  [/^boolean$/, 'boolean'],
  [/^date$/, 'date'],
  [/^time(\(\d+\))? without time zone$|^time$/, 'time'],
  [/^timestamp(\(\d+\))? without time zone$|^timestamp$/, 'timestamp'],
  [/^timestamp(\(\d+\))? with time zone$|^timestamptz$/, 'timestamptz'],
  [/^uuid$/, 'uuid'],
  [/^jsonb?$/, 'json'],
  [/^(bytea|bytes)$/, 'bytes'],
];

/** Earlier versions kept nothing of a column's type but its name. */
function formOfName(sourceType: string): string {
  const kind = KINDS_BY_NAME.find(([name]) => name.test(sourceType))?.[1] ?? 'text';
  const scale = /^numeric\(\d+,(-?\d+)\)$/.exec(sourceType)?.[1];
  return textForm(kind, sourceType, scale === undefined ? undefined : Number(scale));
}

const RETAINED: readonly Retained[] = ['nothing', 'key', 'row'];

/**
 * Whether a baseline that retains `kept` of each row can do what one that retains
 * `wanted` can.
 */
export function retainsEnough(kept: Retained, wanted: Retained): boolean {
  return RETAINED.indexOf(kept) >= RETAINED.indexOf(wanted);
}
