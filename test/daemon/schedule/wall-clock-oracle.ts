/**
 * When a cron expression is due, found out without any library for it: a stretch of time
 * is looked up in the time zone database by Intl, and the minutes that a clock on the
 * wall shows are compared with the fields.
 */

const MINUTE_MS = 60_000;
/**
 * Intl is asked this often, and for each minute where a clock has not gone on by just
 * this much in between.
 */
const LOOKED_UP_EVERY = 15;

export interface WallClock {
  /** The first minute; epoch milliseconds. */
  readonly from: number;
  /** What the clock shows at each minute, as if it were UTC; epoch milliseconds. */
  readonly shows: Float64Array;
}

export function wallClock(timezone: string, from: string, to: string): WallClock {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const start = Date.parse(from);
  const shows = new Float64Array((Date.parse(to) - start) / MINUTE_MS);
  const shownAt = (index: number): number => {
    const [month, day, year, hour, minute] = format
      .format(start + index * MINUTE_MS)
      .split(/\D+/)
      .map(Number) as [number, number, number, number, number];
    return Date.UTC(year, month - 1, day, hour, minute);
  };
  for (let index = 0, shown = shownAt(0); index < shows.length; ) {
    const next = shownAt(index + LOOKED_UP_EVERY);
    const isSteady = next - shown === LOOKED_UP_EVERY * MINUTE_MS;
    for (let more = 0; more < LOOKED_UP_EVERY && index < shows.length; more++, index++) {
      shows[index] = isSteady ? shown + more * MINUTE_MS : shownAt(index);
    }
    shown = next;
  }
  return { from: start, shows };
}

const NAMES = ['jan feb mar apr may jun jul aug sep oct nov dec', 'sun mon tue wed thu fri sat'].map(names =>
  names.split(' '),
);

/** The values of a field; `names` are counted from `min`. */
function valuesOf(field: string, min: number, max: number, names: readonly string[] = []): Set<number> {
  const toNumber = (text: string): number =>
    names.includes(text.toLowerCase()) ? names.indexOf(text.toLowerCase()) + min : Number(text);
  const values = new Set<number>();
  for (const item of field.split(',')) {
    const [range = '', step = '1'] = item.split('/');
    const [first = '', last = first] = range === '*' ? [String(min), String(max)] : range.split('-');
    for (let value = toNumber(first); value <= toNumber(last); value += Number(step)) values.add(value);
  }
  return values;
}

/**
 * Instants at which the expression is due, as crontab(5) has it and
 * docs/guide/schedules.md says of changes of the clock.
 */
export function dueInstants(expression: string, clock: WallClock): number[] {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = expression.trim().split(/\s+/);
  const minutes = valuesOf(minute, 0, 59);
  const hours = valuesOf(hour, 0, 23);
  const days = valuesOf(day, 1, 31);
  const months = valuesOf(month, 1, 12, NAMES[0]);
  const weekdays = valuesOf(weekday, 0, 7, NAMES[1]);
  if (weekdays.has(7)) weekdays.add(0);
  const isDue = (shown: number): boolean => {
    const minuteOfDay = (shown / MINUTE_MS) % 1440;
    if (!minutes.has(minuteOfDay % 60) || !hours.has(Math.floor(minuteOfDay / 60))) return false;
    const date = new Date(shown);
    if (!months.has(date.getUTCMonth() + 1)) return false;
    const onDay = days.has(date.getUTCDate());
    const onWeekday = weekdays.has(date.getUTCDay());
    // Either of the two, where both say something.
    return day !== '*' && weekday !== '*' ? onDay || onWeekday : onDay && onWeekday;
  };
  const followsTheWall = /[*/]/.test(`${minute}${hour}`);

  const due: number[] = [];
  let latest = clock.shows[0]! - MINUTE_MS;
  for (let index = 0; index < clock.shows.length; index++) {
    const shown = clock.shows[index]!;
    let found = isDue(shown);
    if (!followsTheWall) {
      if (shown <= latest) found = false;
      for (let skipped = latest + MINUTE_MS; skipped < shown; skipped += MINUTE_MS) {
        if (isDue(skipped)) found = true;
      }
    }
    if (found) due.push(clock.from + index * MINUTE_MS);
    latest = Math.max(latest, shown);
  }
  return due;
}
