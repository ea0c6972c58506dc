/** Numbers as people read them. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `1,234,567` */
export function formatCount(count: number): string {
  // Not by Intl, which takes 20 ms to begin with.
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `512 B`, `1.5 MiB` */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** `0.42 s`, `12.3 s`, `3 min 12 s`, `1 h 02 min` */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

const INTERVAL_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** `15m`, `36h`: as it may stand in the configuration. */
export function formatInterval(milliseconds: number): string {
  const [unit, size] = INTERVAL_UNITS.find(([, size]) => milliseconds % size === 0) ?? ['ms', 1];
  return `${milliseconds / size}${unit}`;
}

/** `2025-04-14 07:00`, in UTC. */
export function formatInstant(instant: string): string {
  return instant.slice(0, 16).replace('T', ' ');
}
