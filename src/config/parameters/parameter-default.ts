import { parseSignedDuration } from '../schema/values.ts';
import { wallClock } from '../wall-clock.ts';
import { type ParameterType, TYPE_FACTS } from './parameter-types.ts';

const DAY_MS = 86_400_000;

const RUN_TIME = /^\{run_time([+-][^}]+)?\}$/;

export interface DefaultOptions {
  readonly runTime: Date;
  /** Dates are those of this zone. */
  readonly timezone: string;
}

/**
 * What a default stands for in a run: itself, or `{run_time-1d}` the time of the run, and
 * so much before or after it. `undefined` where it is of no value of the type.
 */
export function defaultValue(
  type: ParameterType,
  text: string,
  { runTime, timezone }: DefaultOptions,
): string | undefined {
  const [matched, shift = '0'] = RUN_TIME.exec(text) ?? [];
  if (matched === undefined || (type !== 'date' && type !== 'timestamp'))
    return TYPE_FACTS[type].canonical(text);
  const offset = parseSignedDuration(shift);
  if (offset === undefined) return undefined;
  // Days of a calendar are not all of one length.
  const byDays = type === 'date' && offset % DAY_MS === 0;
  const from = byDays ? Date.parse(`${dateIn(timezone, runTime)}T00:00:00Z`) : runTime.getTime();
  const instant = new Date(from + offset);
  const year = instant.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) return undefined;
  if (type === 'timestamp') return TYPE_FACTS.timestamp.canonical(instant.toISOString());
  return dateIn(byDays ? 'UTC' : timezone, instant);
}

/** The date in a zone, as `2025-04-14`. */
function dateIn(timezone: string, instant: Date): string {
  const { year, month, day } = wallClock(instant, timezone);
  return `${year}-${month}-${day}`;
}
