import { signal } from '@preact/signals';

/** Goes on each ten seconds: what is told relative to now follows it. */
export const now = signal(Date.now());
/** Goes on each second, for runs that are under way. */
export const second = signal(Date.now());

setInterval(() => {
  second.value = Date.now();
  if (second.value - now.value >= 10_000) now.value = second.value;
}, 1000);

const ZONE_KEY = 'sluice.utc';
export const inUtc = signal(localStorage.getItem(ZONE_KEY) === 'yes');

export function showUtc(utc: boolean): void {
  localStorage.setItem(ZONE_KEY, utc ? 'yes' : 'no');
  inUtc.value = utc;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function count(value: number): string {
  return whole.format(value);
}

export function rows(value: number): string {
  return `${count(value)} ${value === 1 ? 'row' : 'rows'}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(value: number): string {
  let shown = value;
  let unit = 0;
  while (shown >= 1024 && unit < UNITS.length - 1) {
    shown /= 1024;
    unit++;
  }
  const digits = unit === 0 || shown >= 100 ? 0 : 1;
  return `${shown.toFixed(digits)} ${UNITS[unit]}`;
}

export function span(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `3 min ago`, or `in 2 h`. */
export function ago(iso: string, at: number): string {
  const seconds = Math.round((at - Date.parse(iso)) / 1000);
  const distance = Math.abs(seconds);
  if (distance < 10) return seconds >= 0 ? 'just now' : 'now';
  const [value, unit] =
    distance < 60
      ? [distance, 's']
      : distance < 3600
        ? [Math.round(distance / 60), 'min']
        : distance < 172_800
          ? [Math.round(distance / 3600), 'h']
          : [Math.round(distance / 86_400), 'days'];
  return seconds >= 0 ? `${value} ${unit} ago` : `in ${value} ${unit}`;
}

/** Today as a time, else with its day. */
export function clock(iso: string, utc: boolean, withSeconds = false): string {
  const at = new Date(iso);
  const zone = utc ? ({ timeZone: 'UTC' } as const) : {};
  const day = (date: Date): string => date.toLocaleDateString('en-CA', zone);
  const time = at.toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    ...(withSeconds && { second: '2-digit' }),
    ...zone,
  });
  if (day(at) === day(new Date())) return time;
  const isThisYear = day(at).slice(0, 4) === day(new Date()).slice(0, 4);
  const date = at.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(isThisYear ? {} : { year: 'numeric' }),
    ...zone,
  });
  return `${date} ${time}`;
}

/** In full, in the other zone than the one that is shown. */
export function otherClock(iso: string, utc: boolean): string {
  return utc ? `${clock(iso, false, true)} local time` : `${clock(iso, true, true)} UTC`;
}
