/** Whether a text is a cron expression of five fields; what it means is the scheduler's business. */

interface Field {
  readonly min: number;
  readonly max: number;
  /** A longer step would leave the first value only. */
  readonly maxStep: number;
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const FIELDS: readonly Field[] = [
  { min: 0, max: 59, maxStep: 60, names: [] },
  { min: 0, max: 23, maxStep: 24, names: [] },
  { min: 1, max: 31, maxStep: 31, names: [] },
  { min: 1, max: 12, maxStep: 12, names: MONTHS },
  { min: 0, max: 7, maxStep: 7, names: WEEKDAYS },
];

function fieldValue(text: string, field: Field): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return field.min + named;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : undefined;
}

function isStep(text: string, field: Field): boolean {
  return /^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= field.maxStep;
}

function isItem(item: string, field: Field): boolean {
  const [range = '', step, ...rest] = item.split('/');
  if (rest.length > 0) return false;
  if (step !== undefined && !isStep(step, field)) return false;
  if (range === '*') return true;
  const [from = '', to, ...more] = range.split('-');
  const first = fieldValue(from, field);
  if (first === undefined || more.length > 0) return false;
  if (to === undefined) return step === undefined;
  const last = fieldValue(to, field);
  return last !== undefined && last >= first;
}

export function isCron(text: string): boolean {
  const fields = text.trim().split(/\s+/);
  return (
    fields.length === FIELDS.length &&
    fields.every((field, index) => field.split(',').every(item => isItem(item, FIELDS[index] as Field)))
  );
}
