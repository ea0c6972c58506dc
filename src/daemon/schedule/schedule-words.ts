import type { ResolvedScheduleEntry } from '../../config/activation.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['week', 604_800_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

/** An entry of a schedule as it is configured. */
export function scheduleText(entry: ResolvedScheduleEntry): string {
  if ('after' in entry) return `after ${entry.after}`;
  return 'cron' in entry ? `cron "${entry.cron}" ${entry.timezone}` : `every ${spanWords(entry.everyMs)}`;
}

/**
 * An entry of a schedule as somebody would say it. An expression for which there are no
 * short words stays as it is.
 */
export function scheduleWords(entry: ResolvedScheduleEntry): string {
  if ('everyMs' in entry) return `every ${spanWords(entry.everyMs)}`;
  if ('after' in entry) return `after each success of ${entry.after}`;
  const { cron, timezone } = entry;
  const words = cronWords(cron.trim().toLowerCase().split(/\s+/));
  return words === undefined ? `by the cron expression ${cron} (${timezone})` : `${words} (${timezone})`;
}

/** `15 minutes`, and `minute` for one. */
function spanWords(ms: number): string {
  const [name, unit] = UNITS.find(([, unit]) => ms % unit === 0) ?? (['millisecond', 1] as const);
  return ms === unit ? name : `${ms / unit} ${name}s`;
}

function cronWords([minute = '', hour = '', day = '', month = '', weekday = '']: readonly string[]) {
  const days = dayWords(day, month, weekday);
  if (days === undefined) return undefined;
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  // A step that does not fill the hour begins anew with it.
  const fills = step !== undefined && 60 % Number(step) === 0;
  if (hour === '*' && (minute === '*' || minute === '*/1')) return `every minute${days.each}`;
  if (hour === '*' && fills) return `every ${step} minutes${days.each}`;
  if (hour === '*' && isNumber(minute)) return `every hour at minute ${Number(minute)}${days.each}`;
  const hours = hour.split(',');
  if (!isNumber(minute) || !hours.every(isNumber)) return undefined;
  const times = hours.map(at => `${at.padStart(2, '0')}:${minute.padStart(2, '0')}`);
  return `at ${listed(times)} ${days.on}`;
}

/** On which days: after a time, and after an interval. */
function dayWords(day: string, month: string, weekday: string): { on: string; each: string } | undefined {
  if (month !== '*') return undefined;
  if (day === '*' && weekday === '*') return { on: 'every day', each: '' };
  if (day === '*') {
    const numbers = DAY_NAMES.reduce((text, name, index) => text.replaceAll(name, String(index)), weekday);
    if (numbers === '1-5') return { on: 'from Monday to Friday', each: ' from Monday to Friday' };
    const names = numbers
      .split(',')
      .map(number => (/^[0-7]$/.test(number) ? DAYS[Number(number)] : undefined));
    if (names.some(name => name === undefined)) return undefined;
    const on = `every ${listed(names as string[])}`;
    return { on, each: ` ${on}` };
  }
  if (weekday !== '*' || !day.split(',').every(isNumber)) return undefined;
  const on = `on day ${listed(day.split(',').map(String))} of each month`;
  return { on, each: ` ${on}` };
}

function isNumber(text: string): boolean {
  return /^\d{1,2}$/.test(text);
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
