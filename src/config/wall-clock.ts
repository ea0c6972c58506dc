/**
 * By time zone. To make one takes far longer than to use it, and a configuration has one
 * name a file.
 */
const calendars = new Map<string, Intl.DateTimeFormat>();

function calendarOf(timezone: string): Intl.DateTimeFormat {
  const known = calendars.get(timezone);
  if (known !== undefined) return known;
  const calendar = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  calendars.set(timezone, calendar);
  return calendar;
}

const PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;

/** With all their digits: four of the year, two of the others. */
export type WallClock = Readonly<Record<(typeof PARTS)[number], string>>;

/** What a clock on the wall shows in a time zone. */
export function wallClock(instant: Date, timezone: string): WallClock {
  const [year, ...rest] = shownBy(instant, timezone);
  const [month, day, hour, minute, second] = rest.map(part => part.padStart(2, '0'));
  return {
    year: String(Number(year)).padStart(4, '0'),
    month: month!,
    day: day!,
    hour: hour!,
    minute: minute!,
    second: second!,
  };
}

function shownBy(instant: Date, timezone: string): readonly string[] {
  // Most activations have this one, and Node takes a while to load what it knows of all
  // the others.
  if (timezone === 'UTC' && instant.getUTCFullYear() > 0)
    return /(\d+)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/.exec(instant.toISOString())!.slice(1);
  const parts = new Map(
    calendarOf(timezone)
      .formatToParts(instant)
      .map(part => [part.type, part.value]),
  );
  return PARTS.map(name => parts.get(name) ?? '');
}
