import { parseDuration } from '../schema/values.ts';
import { type ParameterType, TYPE_FACTS } from './parameter-types.ts';

const DAY_MS = 86_400_000;

const RUN_TIME = /^\{run_time(?:([+-])([^}]+))?\}$/;

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
  const [matched, sign = '+', duration = '0'] = RUN_TIME.exec(text) ?? [];
  if (matched === undefined || (type !== 'date' && type !== 'timestamp'))
    return TYPE_FACTS[type].canonical(text);
  const size = parseDuration(duration);
  if (size === undefined) return undefined;
  const offset = sign === '-' ? -size : size;
  if (type === 'timestamp')
    return TYPE_FACTS.timestamp.canonical(new Date(runTime.getTime() + offset).toISOString());
  // Days of a calendar are not all of one length.
  if (offset % DAY_MS !== 0) return dateIn(timezone, new Date(runTime.getTime() + offset));
  const today = Date.parse(`${dateIn(timezone, runTime)}T00:00:00Z`);
  return new Date(today + offset).toISOString().slice(0, 10);
}

/** The date in a zone, as `2025-04-14`. */
function dateIn(timezone: string, instant: Date): string {
  const parts = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
    timeZone: timezone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(instant);
  const part = (wanted: string): string => parts.find(({ type }) => type === wanted)?.value ?? '';
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`;
}
