/**
 * Whether a text is a cron expression of five fields, and why not; when it is due is the
 * scheduler's business.
 */

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** A longer step would leave the first value only. */
  readonly maxStep: number;
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59, maxStep: 60, names: [] },
  { name: 'hour', min: 0, max: 23, maxStep: 24, names: [] },
  { name: 'day of month', min: 1, max: 31, maxStep: 31, names: [] },
  { name: 'month', min: 1, max: 12, maxStep: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 7, maxStep: 7, names: WEEKDAYS },
];
const DAY_OF_MONTH = 2;
const MONTH = 3;

/** What other schedulers know by a name. */
const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * Why a text is not a cron expression, with the way to write what was probably meant;
 * undefined where it is one.
 */
export function cronFault(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith('@')) return nicknameFault(trimmed.toLowerCase());
  const zone = /^(?:CRON_)?TZ=(\S+)\s+(.+)$/i.exec(trimmed);
  if (zone !== null) return `the time zone is a key of its own: { cron: "${zone[2]}", timezone: ${zone[1]} }`;
  const fields = trimmed === '' ? [] : trimmed.split(/\s+/);
  if (fields.length === 6 || fields.length === 7) {
    const five = fields.slice(1, 6).join(' ');
    return `it has ${fields.length} fields, and seconds and years are not supported; without them it is "${five}"`;
  }
  if (fields.length !== FIELDS.length) {
    return `it has ${fields.length === 1 ? 'one field' : `${fields.length || 'no'} fields`}; they are ${FIELDS.map(({ name }) => name).join(', ')}`;
  }
  for (const [index, written] of fields.entries()) {
    const field = FIELDS[index]!;
    for (const item of written.split(',')) {
      const fault = itemFault(item, field);
      if (fault !== undefined) return `the ${field.name} is "${written}", and ${fault}`;
    }
  }
  return undefined;
}

function nicknameFault(nickname: string): string {
  const known = NICKNAMES[nickname];
  if (known !== undefined) return `${nickname} is written "${known}"`;
  return nickname.startsWith('@every')
    ? 'an interval is a key of its own: { every: 15m }'
    : 'names that start with @ are not supported';
}

function itemFault(item: string, field: Field): string | undefined {
  if (item === '') return 'an entry of the list is empty';
  const foreign = foreignFault(item, field);
  if (foreign !== undefined) return foreign;
  const [range = '', step, ...rest] = item.split('/');
  if (rest.length > 0) return `"${item}" has more than one step`;
  if (step !== undefined && !isStep(step, field)) {
    return `the step "${step}" is not a whole number from 1 to ${field.maxStep}`;
  }
  if (range === '*') return undefined;
  const [from = '', to, ...more] = range.split('-');
  if (more.length > 0) return `"${range}" is not a range such as ${field.min}-${field.max}`;
  for (const value of to === undefined ? [from] : [from, to]) {
    if (fieldValue(value, field) === undefined) return valueFault(value, field);
  }
  if (to === undefined) {
    if (step === undefined) return undefined;
    const start = fieldValue(from, field) === field.min ? '*' : `${from}-${field.max}`;
    return `a step needs a range; write "${start}/${step}"`;
  }
  if (fieldValue(to, field)! >= fieldValue(from, field)!) return undefined;
  const named = field.names.length > 0 && !/^\d/.test(from);
  const [first, last] = named ? [field.names[0], field.names.at(-1)] : [field.min, field.max];
  const steps = step === undefined ? '' : `/${step}`;
  return `a range must go up; write "${from}-${last}${steps},${first}-${to}${steps}"`;
}

/** Spellings that other schedulers know. */
function foreignFault(item: string, { name, min, max }: Field): string | undefined {
  if (item === '?') return '"?" is not supported; write "*"';
  if (item.includes('#')) {
    return '"#" (the nth such day of a month) is not supported; let it be due each week, and let the model select no rows in the others';
  }
  if (/^H(?:$|[/(])/.test(item)) return `"H" is not supported; write a number from ${min} to ${max}`;
  if (/^(?:L|LW|L-\d+|\d+L|[a-z]{3}L)$/i.test(item) && name.startsWith('day')) {
    return '"L" (the last day) is not supported; the first of the next month is "0 0 1 * *", and timestampOffset: -1d names files by the day before';
  }
  if (/^\d+W$/i.test(item)) return '"W" (the nearest weekday) is not supported; write days, or "mon-fri"';
  return undefined;
}

function valueFault(value: string, { min, max, names }: Field): string {
  const near = names.find(name => value.length > 3 && value.toLowerCase().startsWith(name));
  if (near !== undefined) return `"${value}" is written "${near}"`;
  const range = `a number from ${min} to ${max}`;
  return `"${value}" is not ${names.length === 0 ? range : `${range} or one of ${names.join(' ')}`}`;
}

function fieldValue(text: string, field: Field): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return field.min + named;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : undefined;
}

function isStep(text: string, field: Field): boolean {
  return /^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= field.maxStep;
}

/** In the longest year there is. */
const DAYS_OF_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Whether an expression names no day that there is. With both days restricted either of
 * them is due, and there is every day of the week.
 */
export function isNeverDue(expression: string): boolean {
  const fields = expression.trim().split(/\s+/);
  if (fields[4] !== '*') return false;
  const days = valuesOf(fields[DAY_OF_MONTH]!, FIELDS[DAY_OF_MONTH]!);
  const months = valuesOf(fields[MONTH]!, FIELDS[MONTH]!);
  return months.every(month => days.every(day => day > DAYS_OF_MONTH[month - 1]!));
}

/** What a sound field stands for. */
function valuesOf(written: string, field: Field): number[] {
  return written.split(',').flatMap(item => {
    const [range = '', step = '1'] = item.split('/');
    const [from = '', to = from] = range === '*' ? [String(field.min), String(field.max)] : range.split('-');
    const values: number[] = [];
    for (let value = fieldValue(from, field)!; value <= fieldValue(to, field)!; value += Number(step))
      values.push(value);
    return values;
  });
}
